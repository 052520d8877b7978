import type { Kernel as KernelType, KernelMessage } from '@jupyterlab/services';

import type {
  DeployProblemsView,
  DeployRequest,
  FieldProblem,
  KernelReport,
  RKernelView,
  Table
} from '../generated';
import { ProblemError, problemError, requestAPI } from '../transport/request';
import type { Transport } from '../transport/transport';
import {
  type CaptureResult,
  type CheckResult,
  type DeployKernel,
  executeSilently,
  kernelRestarted,
  readyKernel,
  type WaitingJob
} from './kernel';

/** The type of an answer among the messages of R's kernel. */
const ANSWER = 'application/vnd.nbdeploy.v1+json';

/** A cell that ran. */
export interface ExecutedCell {
  count: number;
  source: string;
}

/** What a kernel of R can tell of itself. */
type RReport = Pick<KernelReport, 'pid' | 'notebook' | 'models'>;

/** What R answers a query; without its files, which another machine lacks, null. */
type Answer = { answer: unknown } | { failed: string } | null;

/**
 * The queries to a kernel of R, which answers by the functions of `lab.R`. IRkernel evaluates no
 * user expressions: it runs one silent statement, which publishes its answer. It has no subshells,
 * so it answers after its cells.
 */
export class RKernel implements DeployKernel {
  /** `notebook`: its file on the server, if known; `cells`: those that ran. */
  constructor(
    readonly connection: KernelType.IKernelConnection | null | undefined,
    private readonly transport: Transport,
    private readonly cellsRun: () => boolean,
    private readonly notebook: () => string | null,
    private readonly cells: () => readonly ExecutedCell[]
  ) {}

  get busy(): boolean {
    return this.cellsRun(); // its status is busy during the dialog's own queries, too
  }

  get canAnswer(): boolean {
    return !this.busy;
  }

  async report(): Promise<KernelReport> {
    const { version, interpreter, home } = await this._server();
    const found = (await this._query('found', { cells: this.cells() })) as RReport;
    return {
      ...found,
      version,
      interpreter,
      home,
      labelled: [],
      problem: '',
      remedy: '',
      language: 'R'
    };
  }

  async preview(expression: string): Promise<Table> {
    return (await this._query('preview', { expression })) as Table;
  }

  /** R knows model and example, and the server the other fields. */
  async check(request: DeployRequest): Promise<CheckResult> {
    const [ofKernel, ofServer] = await Promise.all([
      this._query('check', { ...request }) as Promise<CheckResult>,
      this._problemsOfServer(request)
    ]);
    return { ...ofKernel, problems: [...ofServer, ...ofKernel.problems] };
  }

  /** A choice is among models of Python. */
  async checkCandidates(): Promise<readonly FieldProblem[]> {
    const message = 'only models of Python are compared in a table';
    const remedy = 'deploy each: the second one is the shadow of the first, and both are compared';
    return Promise.resolve([{ field: 'models', message, remedy, finding: null }]);
  }

  async capture(
    job: WaitingJob,
    notebook: string | null = null,
    asked: () => void = () => undefined
  ): Promise<CaptureResult> {
    const { interpreter, home } = await this._server();
    const { model, example, method, training } = job.request as DeployRequest;
    const given = {
      job: job.id,
      python: interpreter,
      home,
      notebook,
      model,
      example: example ?? null,
      method: method ?? null,
      training: training ?? null
    };
    return (await this._query('capture', given, asked)) as CaptureResult;
  }

  private async _problemsOfServer(request: DeployRequest): Promise<readonly FieldProblem[]> {
    const body = { deploy: request, notebook: this.notebook() };
    const asked = { method: 'POST' as const, body };
    try {
      return (await requestAPI<DeployProblemsView>(this.transport, 'views/deploy_problems', asked))
        .value.problems;
    } catch (error) {
      if (!(error instanceof ProblemError) || !error.errors.length) throw error;
      return error.errors.map(({ loc, msg }) => ({
        field: loc
          .map(String)
          .filter(part => part !== 'deploy')
          .join('.'),
        message: msg,
        remedy: '',
        finding: null
      }));
    }
  }

  private async _server(): Promise<RKernelView> {
    return (await requestAPI<RKernelView>(this.transport, 'views/r_kernel', {})).value;
  }

  private async _query(
    name: string,
    given: Readonly<Record<string, unknown>>,
    asked: () => void = () => undefined
  ): Promise<unknown> {
    const { scripts } = await this._server();
    const kernel = await readyKernel(this.connection, 'R');
    let said: string | undefined;
    const onMessage = ({ content }: KernelMessage.IIOPubMessage): void => {
      const data = 'data' in content ? (content.data as Record<string, unknown>) : {};
      const text = data[ANSWER];
      if (typeof text === 'string') said = text;
    };
    const done = executeSilently(kernel, { code: query(scripts, name, given) }, { onMessage });
    asked();
    await done;
    if (said === undefined) throw kernelRestarted();
    const answer = JSON.parse(said) as Answer;
    if (answer === null) {
      throw problemError({
        code: 'remote_kernel',
        title:
          'This kernel of R runs on another machine, or in another container, than the Jupyter server.',
        remedy: 'Deploy on its machine: nbdeploy deploy NOTEBOOK --model MODEL --example EXAMPLE'
      });
    }
    if ('failed' in answer) {
      throw problemError({
        code: 'kernel_failed',
        title: `The kernel could not answer: ${answer.failed}`,
        remedy: 'If the error recurs, restart the kernel.'
      });
    }
    return answer.answer;
  }
}

/** One statement of R that leaves nothing behind. */
function query(scripts: readonly string[], name: string, given: object): string {
  const files = `c(${scripts.map(literal).join(', ')})`;
  const call = `nbdeploy_lab(${literal(name)}, ${literal(JSON.stringify(given))})`;
  const lacks = `getOption("jupyter.base_display_func")(list(${literal(ANSWER)} = "null"))`;
  const reads = `{ for (one in files) sys.source(one, environment()); ${call} }`;
  return `invisible(local({ files <- ${files}; if (!all(file.exists(files))) ${lacks} else ${reads} }, envir = new.env(parent = globalenv())))`;
}

/** A text as a literal of R, which reads JSON's escapes. */
function literal(text: string): string {
  return JSON.stringify(text.toWellFormed());
}
