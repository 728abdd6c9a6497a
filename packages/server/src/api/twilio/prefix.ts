/** Where Twilio's resources of an account live. */
export const ACCOUNT = "/2010-04-01/Accounts/:AccountSid";

export const API_VERSION = "2010-04-01";

/** `/2010-04-01/Accounts/AC…/Calls/CA….json` */
export function accountUri(accountSid: string, rest: string): string {
  return `/${API_VERSION}/Accounts/${accountSid}${rest}`;
}
