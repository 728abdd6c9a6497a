export type {
  AccountRecord,
  AlertRecord,
  ApiStore,
  CallFilter,
  ConnectorChange,
  ConnectorView,
  Credentials,
  NumberChange,
  Page,
  Principal,
  TrunkChange,
  TrunkView,
} from "./ports.ts";
