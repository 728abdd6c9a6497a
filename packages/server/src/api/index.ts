export {
  type ApiLimits,
  type ApiOptions,
  type ApiServer,
  type CallTraces,
  createApi,
  type InjectRequest,
  type InjectResponse,
  type Readiness,
} from "./create.ts";
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
