/**
 * The sections of docs/api.md: title, the page that explains it, and the exports that it lists.
 *
 * @type {readonly [title: string, guide: string, names: readonly string[]][]}
 */
export const GROUPS = [
  [
    'secureSession',
    'secure-session.md',
    [
      'secureSession',
      'SecureSessionOptions',
      'AcceptFromOptions',
      'SecureCookieOptions',
      'TIMEOUT_PRESETS',
      'TimeoutPreset',
      'SecureSession',
    ],
  ],
  [
    'The store',
    'store.md',
    [
      ...[
        'RedisStore',
        'RedisStoreOptions',
        'Limit',
        'IndexValue',
        'NearCacheOptions',
        'Encryption',
        'Serializer',
        'HashIds',
      ],
      ...['FindByOptions', 'DestroyByOptions', 'SessionInfo', 'ListedSession', 'ScannedSession', 'EndedSession'],
      ...['SessionStats', 'Ages', 'CacheStats', 'ActivityRange', 'ActivityStep', 'ActivityReport', 'ActivityPoint'],
      'StoreHealth',
    ],
  ],
  ['Merging', 'merging.md', ['MergeOption', 'MergeFunction', 'SessionPath', 'ValueAt']],
  [
    'Login',
    'login.md',
    [
      ...['rotateOnLogin', 'RotateOnLoginOptions', 'rotateSession', 'RotateSessionOptions'],
      ...['requireFreshLogin', 'RequireFreshLoginOptions', 'saveBeforeResponse'],
    ],
  ],
  ['Logout', 'logout.md', ['endSession', 'EndSessionOptions', 'SiteData']],
  [
    'Logout at an identity provider',
    'logout.md#at-the-identity-provider',
    ['backchannelLogout', 'BackchannelLogoutOptions', 'VerifyToken'],
  ],
  ['Renewal', 'renewal.md', ['renewSession', 'RenewSessionOptions']],
  [
    'Client binding',
    'binding.md',
    ['bindClient', 'BindClientOptions', 'SessionBinding', 'BindingVerdict', 'Mismatch', 'MismatchAction'],
  ],
  [
    'Device binding',
    'device-bound.md',
    [
      ...['bindDevice', 'BindDeviceOptions', 'DeviceSession', 'DeviceHandler'],
      ...['requireBoundDevice', 'RequireBoundDeviceOptions'],
    ],
  ],
  [
    'The device page',
    'sessions-by-user.md#the-device-page',
    ['sessionRouter', 'SessionRouterOptions', 'SessionRouterTexts', 'DevicePage', 'DevicePageSession'],
  ],
  ['Admin pages', 'admin.md', ['adminRouter', 'AdminRouterOptions', 'AdminRequest', 'AuditEntry']],
  ['Sockets', 'sockets.md', ['loadSession', 'LoadSessionOptions', 'OpenSession', 'EndReason']],
  [
    'Clients',
    'clients.md',
    [
      'connectRedis',
      'ConnectRedisOptions',
      'ConnectClusterOptions',
      'GetCredentials',
      'RedisCredentials',
      'RedisClient',
    ],
  ],
  ['Events', 'store.md#events', ['SessionEvents', 'SessionEvent', 'SessionEventName', 'DestroyReason', 'StoreEvents']],
  ['Telemetry', 'observability.md', ['Operation', 'OperationName', 'OperationOutcome']],
  ['Errors', 'errors.md', ['SessionStoreError', 'SessionErrorCode']],
  [
    'Types',
    'typescript.md',
    ['SessionContent', 'SessionProperties', 'SessionChanges', 'PropertyName', 'AnySession', 'Callback', 'Middleware'],
  ],
]
