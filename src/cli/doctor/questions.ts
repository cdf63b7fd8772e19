/** The result of a command: a reply, or the code of an error, e.g. `NOPERM`. */
export type Reply = { value: unknown } | { error: string; isUnknown: boolean }

/** How a server is asked; what asks need not care whose connection it is. */
export interface Questions {
  /** @throws the error of the client if there was no reply */
  ask(command: string, ...args: (string | number)[]): Promise<Reply>
  /** Runs a command and returns its reply if it is text; otherwise undefined. */
  text(command: string, ...args: (string | number)[]): Promise<string | undefined>
  /** Runs a command and returns its reply if it is a list; otherwise undefined. */
  list(command: string, ...args: (string | number)[]): Promise<unknown[] | undefined>
}

/** All ways to ask, from the one that sends commands. */
export function questionsOver(ask: Questions['ask']): Questions {
  const valueFrom = async (...call: Parameters<Questions['ask']>) => {
    const reply = await ask(...call)
    return 'value' in reply ? reply.value : undefined
  }
  return {
    ask,
    text: async (...call) => {
      const value = await valueFrom(...call)
      return typeof value === 'string' ? value : undefined
    },
    list: async (...call) => {
      const value = await valueFrom(...call)
      return Array.isArray(value) ? value : undefined
    },
  }
}
