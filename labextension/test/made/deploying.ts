import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import type { DeployWorld, KernelState } from '../../src/deploy/deployModel';
import type { CheckResult } from '../../src/deploy/kernel';
import type {
  DeployRequest,
  FieldProblem,
  Job,
  JobEvent,
  KernelReport,
  ModelCandidate,
  NotebookContextView,
  SettingsFile,
  Table
} from '../../src/generated';

export const trans = nullTranslator.load('nbdeploy');

export function model(variable: string, given: Partial<ModelCandidate> = {}): ModelCandidate {
  return {
    variable,
    kind: 'LogisticRegression',
    framework: 'sklearn',
    methods: ['predict', 'predict_proba'],
    method: 'predict',
    examples: [
      { expression: 'X_test[:5]', words: '5 rows of test data', placeholder: false },
      { expression: 'X[:5]', words: '5 rows', placeholder: false }
    ],
    why: 'fitted in In [3]',
    cell: 3,
    unusual: false,
    ...given
  };
}

export function report(...models: ModelCandidate[]): KernelReport {
  return {
    version: '0.1.0',
    interpreter: '/python',
    pid: 1,
    notebook: '/work/churn.ipynb',
    home: '/home',
    models,
    labelled: [],
    problem: '',
    remedy: '',
    language: 'python'
  };
}

export function context(given: Partial<NotebookContextView> = {}): NotebookContextView {
  return {
    name: 'churn',
    endpoints: {},
    owners: {},
    notebooks: [],
    gates: [],
    asked: [],
    resources: {
      cpu: null,
      memory: null,
      gpu: null,
      workers: null,
      threads: null,
      idle_after: null,
      replicas: null
    },
    last: null,
    settings: null,
    ...given
  };
}

export const table: Table = {
  columns: ['age', 'plan'],
  rows: [['31', '<b>gold</b>']],
  words: '1 row, 2 columns',
  problem: '',
  remedy: ''
};

/** A notebook's world whose answers a test chooses. */
export class World implements DeployWorld {
  state: KernelState = { kind: 'idle' };
  models: ModelCandidate[] = [model('clf')];
  around: NotebookContextView = context();
  problems: FieldProblem[] = [];
  complete = true;
  asked: DeployRequest[] = [];
  checked: DeployRequest[] = [];
  previewed: string[] = [];
  refuses: unknown = null;
  cannotLook: unknown = null;
  hasSubshells = true;
  readonly kernelChanged = new Signal<this, void>(this);

  readonly kernel = (): KernelState => this.state;
  /** A kernel that can do one thing at once, while it runs a cell, does not. */
  readonly canAnswer = (): boolean => this.state.kind !== 'busy' || this.hasSubshells;
  readonly report = async (): Promise<KernelReport> => {
    if (this.cannotLook !== null) {
      throw this.cannotLook as Error;
    }
    return Promise.resolve(report(...this.models));
  };
  readonly context = async (): Promise<NotebookContextView> => Promise.resolve(this.around);
  written: unknown[] = [];
  /** The notebook has its gates in the settings of the folder. */
  readonly writeValidation = async (values: { name: string }): Promise<void> => {
    this.written.push([values.name]);
    this.around = context({ gates: ['validate_churn.ipynb: accuracy >= 0.9'] });
    return Promise.resolve();
  };
  /** The user's agreement applies to what the folder has now. */
  readonly agree = async (file: SettingsFile): Promise<void> => {
    this.around = context({ settings: { ...file, agreed: true } });
    return Promise.resolve();
  };
  readonly preview = async (expression: string): Promise<Table> => {
    this.previewed.push(expression);
    return Promise.resolve(table);
  };
  readonly check = async (request: DeployRequest): Promise<CheckResult> => {
    this.checked.push(request);
    const { problems, complete } = this;
    return Promise.resolve({ problems, complete });
  };
  readonly submit = async (request: DeployRequest): Promise<Job> => {
    if (this.refuses !== null) {
      throw this.refuses as Error;
    }
    this.asked.push(request);
    return Promise.resolve(job());
  };

  becomes(state: KernelState): void {
    this.state = state;
    this.kernelChanged.emit();
  }
}

export function job(given: Partial<Job> = {}): Job {
  return {
    id: 'j1',
    verb: 'deploy',
    title: 'deploy clf as churn',
    endpoint: 'churn',
    request: { model: 'clf', name: 'churn' },
    state: 'running',
    interpreter: '',
    asked: null,
    notebook: null,
    kernel: null,
    pid: 7,
    number: 0,
    steps: 0,
    step: '',
    created_at: '2026-11-26T10:00:00Z',
    ended_at: null,
    result: null,
    problem: null,
    ...given
  };
}

let lastEvent = 0;

export function event(
  kind: JobEvent['kind'],
  data: object,
  given: Partial<JobEvent> = {}
): JobEvent {
  lastEvent += 1;
  return {
    id: lastEvent,
    job: 'j1',
    at: '2026-11-26T10:00:00Z',
    kind,
    data: data as JobEvent['data'],
    ...given
  };
}

export function problemIn(
  field: string,
  message: string,
  finding: object | null = null
): FieldProblem {
  return { field, message, remedy: '', finding: finding as FieldProblem['finding'] };
}
