/** The Sentinels or Cluster nodes of this test run, if it has any (test/support/global-setup.mjs). */
export const topology = JSON.parse(process.env.TEST_TOPOLOGY ?? '{}') as {
  sentinels?: { host: string; port: number }[]
  name?: string
  nodes?: { host: string; port: number }[]
}
