/** Everybody may log in with it: the login page shows the password. What it may see is read-only. */
export const SUPPORT = Object.freeze({
  name: 'Support',
  email: 'support@kettle.example',
  password: 'only looking',
})
