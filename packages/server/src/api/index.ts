export {
  type ApiLimits,
  type ApiOptions,
  type ApiServer,
  createApi,
  type InjectRequest,
  type InjectResponse,
} from "./create.ts";
export type {
  AccountRecord,
  AlertRecord,
  ApiStore,
  CallFilter,
  CallTraces,
  ConnectorChange,
  ConnectorView,
  Credentials,
  NumberChange,
  Page,
  Principal,
  Readiness,
  TrunkChange,
  TrunkView,
} from "./ports.ts";
