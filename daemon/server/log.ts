/** The daemon's log: one line per event, on stderr, which the starter ties to daemon.log. Questions are never logged. */
export interface Log {
  info(text: string): void;
  error(text: string, cause?: unknown): void;
}

export function createLog(write: (line: string) => void): Log {
  const line = (level: string, text: string): void => {
    write(`${new Date().toISOString()} ${level} ${text}\n`);
  };
  return {
    info: (text) => {
      line("info", text);
    },
    error: (text, cause) => {
      const detail = cause instanceof Error ? (cause.stack ?? cause.message) : "";
      line("error", detail === "" ? text : `${text}\n${detail}`);
    },
  };
}
