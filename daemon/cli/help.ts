import { errorCatalogue } from "../protocol/errors.ts";
import { productVersion } from "../protocol/version.ts";

/** Names of sysexits.h where it has one; the catalogue says which failure exits with which. */
const exitMeanings: Readonly<Record<number, string>> = {
  0: "answered, or done",
  64: "the command line is wrong",
  65: "the input does not fit: question or repository too long, or a damaged model file",
  66: "there is no such folder, no text in it, or a model file is missing",
  69: "the daemon, the device or a supported model is not available",
  70: "the engine or the daemon failed",
  71: "not enough memory",
  75: "busy: ask again later",
  77: "the runtime folder is not private",
  130: "cancelled with Ctrl-C",
};

export function helpText(): string {
  const codes = new Set([0, ...Object.values(errorCatalogue).map((entry) => entry.exit)]);
  const exitLines = [...codes]
    .sort((first, second) => first - second)
    .map((code) => `  ${code.toString().padStart(3)}  ${exitMeanings[code] ?? "another failure"}`);
  return `longsight ${productVersion}: ask a whole repository, on this machine.

Usage:
  longsight ask [options] QUESTION   answer one question about a repository
  longsight ask [options]            answer questions one after the other; the context is kept
  longsight summarize [options]      what each file, each folder and the whole is for; or a file or folder, by its PATH
  longsight status [--json]          what the daemon holds and does
  longsight model list [--json]      the models on this machine
  longsight bench [options]          measure this machine: kernels, prefill, second question
  longsight bench prefill [options]  dense and sparse prefill side by side; \`longsight bench prefill --help\` has its options
  longsight eval [options] TASK...   measure answers, dense beside sparse; \`longsight eval --help\` lists the tasks
  longsight search [options]         find each head's sparse pattern; \`longsight search --help\` says how
  longsight stop                     end the daemon and free its memory
  longsight lsp                      speak LSP's base protocol on stdin and stdout, for editors

Options of ask, summarize and bench:
  --repo DIR        the repository; default: the one around the current folder
  --model DIR       a Hugging Face model folder; default: $LONGSIGHT_MODEL, else the bundled model
  --context N       tokens of repository, question and answer; default: what the model's makers advise
  --prefill MODE    auto (default), sparse or dense: whether full attention may leave out what weighs little
  --patterns FILE   head patterns of the sparse prefill; default: the model's own, else a safe one
  --recall-floor N  attention that each head must keep, 0 to 1 (0: no guard; default: as the patterns say, else 0.95)
  --exclude PATH    leave a file or folder (relative to the repository) out of the context; may be given several times
  --include PATH    take a file or folder in although it is generated or vendored, and before all others; never a secret
  --device NAME     auto, cpu, cuda or cuda:N, for the daemon that this starts; default: $LONGSIGHT_DEVICE, else auto
  --json            print one JSON object instead of text

Options of ask:
  --max-tokens N    tokens of the answer at most (default 512)
  --evidence        also tell on which files the attention of the answer lay

Options of summarize:
  --markdown        print one Markdown document
  --again           ask everything anew, also what was summarized before

  -h, --help        this text
  -V, --version     the version

The first question reads the whole repository; the daemon keeps what it read, so that later ones are answered at once.
Ctrl-C cancels the question and leaves the daemon as it was. The daemon ends by itself when it has been idle.

Environment:
  LONGSIGHT_MODEL                default model folder
  LONGSIGHT_RUNTIME_DIR          private folder of socket and log (default $XDG_RUNTIME_DIR/longsight)
  LONGSIGHT_CACHE_DIR            token cache and summaries (default $XDG_CACHE_HOME/longsight or ~/.cache/longsight)
  LONGSIGHT_DEVICE               auto, cpu, cuda or cuda:N; read when the daemon starts
  LONGSIGHT_KV                   bf16, fp8 (half the memory, on a GPU), or auto (default): bf16 while it fits; read when the
                                 daemon starts
  LONGSIGHT_HOST_KV_GIB          how much KV a full GPU may put into the machine's memory (default half of that)
  LONGSIGHT_WEIGHTS              bf16 (default), or fp8 (half the size of linear layers, on a GPU); read when the daemon
                                 starts
  LONGSIGHT_THREADS              threads of the engine; read when the daemon starts
  LONGSIGHT_IDLE_FREE_SECONDS    idle time after which the model's memory is freed (default 600)
  LONGSIGHT_IDLE_EXIT_SECONDS    idle time after which the daemon ends (default 1800)

Exit codes:
${exitLines.join("\n")}
`;
}
