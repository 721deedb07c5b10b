/** Turns a failed call into a sentence of the page's language; what the server says is kept where it knows more. */
import type { Messages } from '$/i18n/vi';

import type { ApiError } from './api';

export function explain(error: ApiError, t: Messages): string {
  if (error.status === 0) return t.error.unreachable;
  if (error.status === 429 && error.body.retry_after) return t.error.too_many(error.body.retry_after);
  if (error.status === 401) return t.error.unauthenticated;
  if (error.code === 'wrong_password') return t.password.wrong;
  if (error.code === 'same_password') return t.password.same;
  if (error.status === 403) return t.error.forbidden;
  if (error.status === 404) return t.error.not_found;
  return error.status >= 500 ? `${t.error.internal} ${error.message}` : error.message;
}
