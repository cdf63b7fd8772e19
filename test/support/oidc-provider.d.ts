/** It brings no types. */
declare module 'oidc-provider'
