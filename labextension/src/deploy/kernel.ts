import { type Kernel as KernelType, KernelMessage } from '@jupyterlab/services';

import {
  type CandidatesRequest,
  type DeployRequest,
  type FieldProblem,
  type Job,
  type KernelReport,
  type Table,
  VERSION
} from '../generated';
import { installCommand } from '../install';
import { type ProblemError, problemError } from '../transport/request';

const BRIDGE = "__import__('jupyter_deploy.faces.kernel.lab_bridge', fromlist=['bridge'])";

/** An answer to one user expression. */
type ExpressionResult =
  | { status: 'ok'; data: Record<string, unknown> }
  | { status: 'error'; ename: string; evalue: string };

/** The problems of a deploy; not `complete`: a search goes on, ask again. */
export interface CheckResult {
  problems: FieldProblem[];
  complete: boolean;
}

/** The kernel's answer to a capture; the job reports the rest. */
export interface CaptureResult {
  job: string;
  [name: string]: unknown;
}

/** A job that waits for a capture, with its request. */
export type WaitingJob = Pick<Job, 'id' | 'request'>;

/** What the Deploy dialog asks a notebook's kernel, whatever its language. */
export interface DeployKernel {
  /** Whether a cell runs. */
  readonly busy: boolean;
  /** Whether it answers a read-only query now: a kernel without subshells waits for its cells. */
  readonly canAnswer: boolean;
  /** The models in the kernel, and its version of nbdeploy. */
  report(): Promise<KernelReport>;
  /** The first rows of an example; `problem` is the reason if there are none. */
  preview(expression: string): Promise<Table>;
  /** The problems of a deploy that need no slow check. */
  check(request: DeployRequest): Promise<CheckResult>;
  /** The problems of a choice among its models that need no call of a model. */
  checkCandidates(request: CandidatesRequest): Promise<readonly FieldProblem[]>;
  /**
   * Capture for a job that waits. Resolves at the end, which may take long: the viewer follows the
   * job. `notebook`: its present path on the server, if known. `asked`: called once the kernel has
   * the message.
   */
  capture(job: WaitingJob, notebook?: string | null, asked?: () => void): Promise<CaptureResult>;
}

/**
 * The queries to a kernel of Python: they show nothing in the notebook and are no cells of its
 * history. They throw `ProblemError` with a code: no_kernel, kernel_dead, kernel_restarted,
 * other_language, no_nbdeploy, other_version, kernel_failed. Only `capture` needs the main shell: it
 * waits while a cell runs.
 */
export class PythonKernel implements DeployKernel {
  /**
   * `cellsRun`: whether cells run, as far as the caller knows; a kernel reports idle after any
   * answer.
   */
  constructor(
    readonly connection: KernelType.IKernelConnection | null | undefined,
    private readonly cellsRun: () => boolean = () => false
  ) {}

  get busy(): boolean {
    return this.connection?.status === 'busy' || this.cellsRun();
  }

  get canAnswer(): boolean {
    return !this.busy || this.connection?.supportsSubshells === true;
  }

  async report(): Promise<KernelReport> {
    const report = (await this._query('found()')) as KernelReport;
    if (report.version !== VERSION) {
      throw problemError({
        code: 'other_version',
        title: `The kernel's environment has nbdeploy ${report.version}, JupyterLab has ${VERSION}.`,
        remedy: `Run in a cell, then restart the kernel: ${installCommand()}`
      });
    }
    return report;
  }

  async preview(expression: string): Promise<Table> {
    return (await this._query(`preview(${literal(expression)})`)) as Table;
  }

  async check(request: DeployRequest): Promise<CheckResult> {
    const asked = literal(JSON.stringify(request));
    return (await this._query(`check(${asked})`)) as CheckResult;
  }

  async checkCandidates(request: CandidatesRequest): Promise<readonly FieldProblem[]> {
    const asked = literal(JSON.stringify(request));
    return ((await this._query(`check_candidates(${asked})`)) as CheckResult).problems;
  }

  async capture(
    job: WaitingJob,
    notebook: string | null = null,
    asked: () => void = () => undefined
  ): Promise<CaptureResult> {
    const kernel = await this._ready();
    const given = notebook === null ? [job.id] : [job.id, notebook];
    const answer = evaluate(kernel, `capture(${given.map(literal).join(', ')})`);
    asked();
    return (await answer) as CaptureResult;
  }

  /** Query without waiting for a running cell, if the kernel has subshells. */
  private async _query(expression: string): Promise<unknown> {
    const kernel = await this._ready();
    if (!this.busy || !this.canAnswer) {
      return evaluate(kernel, expression);
    }
    const { content } = await kernel.requestCreateSubshell({}).done;
    const subshell = content.subshell_id;
    try {
      return await evaluate(kernel, expression, subshell);
    } finally {
      // Not awaited: the kernel may be gone.
      kernel.requestDeleteSubshell({ subshell_id: subshell }).done.catch(() => undefined);
    }
  }

  private async _ready(): Promise<KernelType.IKernelConnection> {
    return readyKernel(this.connection, 'python');
  }
}

/** The kernel once it answers; throws a `ProblemError` if none of this language will. */
export async function readyKernel(
  kernel: KernelType.IKernelConnection | null | undefined,
  language: 'python' | 'R'
): Promise<KernelType.IKernelConnection> {
  if (!kernel || kernel.isDisposed) {
    throw problemError({
      code: 'no_kernel',
      title: 'This notebook has no kernel.',
      remedy: 'Choose a kernel, and run the cells that make the model.'
    });
  }
  if (kernel.status === 'dead') {
    throw problemError({
      code: 'kernel_dead',
      title: 'The kernel has died.',
      remedy: 'Restart the kernel, and run the cells that make the model again.'
    });
  }
  const found = (await kernel.info).language_info.name;
  if (found !== language) {
    throw problemError({
      code: 'other_language',
      title: `The language of this kernel is ${found}: only models in kernels of Python and R can be deployed.`,
      remedy: 'Validation notebooks may be in any language: see the command ‘Validate’.'
    });
  }
  return kernel;
}

/** The number of attempts if the cells before a query raise. */
const MOST_ATTEMPTS = 20;

/** A text as a Python literal. JSON's escapes are Python's, except for half of a surrogate pair. */
function literal(text: string): string {
  return JSON.stringify(text.toWellFormed());
}

async function evaluate(
  kernel: KernelType.IKernelConnection,
  expression: string,
  subshell?: string
): Promise<unknown> {
  const asked = { user_expressions: { answer: `${BRIDGE}.${expression}` } };
  const said = await executeSilently(kernel, asked, { subshell });
  const answer = said.user_expressions?.answer as ExpressionResult | undefined;
  if (!answer) throw kernelRestarted();
  if (answer.status === 'error') {
    throw kernelFailed(answer.ename, answer.evalue);
  }
  return answer.data['application/json'];
}

/** The content of a reply whose status is ok. */
export interface SilentReply {
  user_expressions?: Record<string, unknown>;
}

/**
 * Has a kernel execute without a cell, a count or an output; asks again if a cell before it raised.
 * `onMessage` gets what the kernel publishes meanwhile.
 */
export async function executeSilently(
  kernel: KernelType.IKernelConnection,
  asked: Pick<Partial<KernelMessage.IExecuteRequestMsg['content']>, 'code' | 'user_expressions'>,
  options: {
    subshell?: string | undefined;
    onMessage?: (message: KernelMessage.IIOPubMessage) => void;
  } = {},
  attempt = 1
): Promise<SilentReply> {
  const { subshell, onMessage } = options;
  const content: KernelMessage.IExecuteRequestMsg['content'] = {
    code: '',
    silent: true,
    store_history: false,
    allow_stdin: false,
    stop_on_error: false,
    ...asked
  };
  const message = KernelMessage.createMessage<KernelMessage.IExecuteRequestMsg>({
    msgType: 'execute_request',
    channel: 'shell',
    username: kernel.username,
    session: kernel.clientId,
    content,
    ...(subshell !== undefined && { subshellId: subshell })
  });
  const future = kernel.sendShellMessage<'execute_request'>(message, true, true);
  if (onMessage) future.onIOPub = onMessage;
  let reply: KernelMessage.IShellMessage;
  try {
    reply = await future.done;
  } catch (error) {
    throw kernelRestarted(error);
  }
  const said = reply.content as SilentReply & { status: string; ename?: string; evalue?: string };
  if (said.status === 'aborted' && attempt < MOST_ATTEMPTS) {
    // A cell before it raised, and Jupyter drops the messages that waited.
    return executeSilently(kernel, asked, options, attempt + 1);
  }
  if (said.status === 'error') throw kernelFailed(said.ename ?? '', said.evalue ?? '');
  if (said.status !== 'ok') throw kernelRestarted();
  return said;
}

/** The future was cancelled: the kernel was restarted, or shut down, before it answered. */
export function kernelRestarted(error?: unknown): ProblemError {
  return problemError({
    code: 'kernel_restarted',
    title: 'The kernel was restarted before it answered.',
    details: error instanceof Error ? error.message : '',
    remedy: 'Run the cells that make the model again.'
  });
}

function kernelFailed(name: string, words: string): ProblemError {
  if (name === 'ModuleNotFoundError' && words.includes("'jupyter_deploy")) {
    const old = words.includes('jupyter_deploy.faces');
    return problemError({
      code: old ? 'other_version' : 'no_nbdeploy',
      title: old
        ? "The kernel's environment has another version of nbdeploy than JupyterLab."
        : "The kernel's environment has no nbdeploy.",
      remedy: `Run in a cell${old ? ', then restart the kernel' : ''}: ${installCommand()}`
    });
  }
  return problemError({
    code: 'kernel_failed',
    title: `The kernel could not answer: ${name}${words === '' ? '' : `: ${words}`}`,
    remedy: 'If the error recurs, restart the kernel.'
  });
}
