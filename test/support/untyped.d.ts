declare module 'passport-local'
