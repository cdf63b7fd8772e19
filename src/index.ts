export type { Callback } from './callback.js'
export type { DestroyByOptions } from './destroy-by-options.js'
export { type SessionErrorCode, SessionStoreError } from './errors.js'
export type { SessionEvent, SessionEventName, SessionEvents } from './events.js'
export { type LoadSessionOptions, loadSession, type OpenSession } from './load-session.js'
export {
  type BindClientOptions,
  bindClient,
  type Mismatch,
  type MismatchAction,
  type SessionBinding,
} from './middleware/bind-client.js'
export type { BindingVerdict } from './middleware/client-binding.js'
export { type RenewSessionOptions, renewSession } from './middleware/renew-session.js'
export { type RequireFreshLoginOptions, requireFreshLogin } from './middleware/require-fresh-login.js'
export { type RotateOnLoginOptions, rotateOnLogin } from './middleware/rotate-on-login.js'
export { type RotateSessionOptions, rotateSession } from './middleware/rotate-session.js'
export { saveBeforeResponse } from './middleware/save-before-response.js'
export type { Middleware } from './middleware/session-request.js'
export type { IndexValue, Limit, RedisStoreOptions } from './options.js'
export type { ActivityPoint, ActivityRange, ActivityReport, ActivityStep } from './record/activity.js'
export type { Encryption } from './record/encryption.js'
export type { SessionInfo } from './record/inspect.js'
export type { Serializer } from './record/serializer.js'
export type { AnySession, SessionContent } from './record/session-data.js'
export type { Ages, SessionStats } from './record/stats.js'
export type { RedisClient } from './redis/client.js'
export type { HashIds } from './redis/sid.js'
export type { SecureCookieOptions } from './secure-session/cookie.js'
export type { SecureSessionOptions } from './secure-session/options.js'
export { type SecureSession, secureSession } from './secure-session/secure-session.js'
export { TIMEOUT_PRESETS, type TimeoutPreset } from './secure-session/timeout-presets.js'
export { type ListedSession, RedisStore, type ScannedSession, type StoredSession } from './store.js'
