import { currentSession } from '../../lib/sessions'

export async function GET() {
  const session = await currentSession()
  return Response.json({ user: session?.userId ?? null })
}
