import type {
  DeployRequest,
  FieldProblem,
  KernelReport,
  ModelCandidate,
  NotebookContextView
} from '../generated';

export type DeployRole = 'stable' | 'shadow' | 'canary';

export const RESOURCES = ['workers', 'cpu', 'memory', 'threads', 'gpu', 'idle_after'] as const;
export type ResourceName = (typeof RESOURCES)[number];
export type ResourceValues = Record<ResourceName, string>;

/** The dialog's fields, as typed. */
export interface DeployValues {
  model: string;
  example: string;
  name: string;
  role: DeployRole;
  percent: string;
  notebooks: readonly string[];
  gates: readonly string[];
  reason: string;
  label: string;
  method: string;
  signature: string;
  training: string;
  /** Columns that accept null although the example has none. */
  nullable: readonly string[];
  include: string;
  strict: boolean;
  waive: readonly string[];
  isolated: boolean;
  engine: 'native' | 'onnx' | 'auto';
  /** The largest difference that a translation may have; a number as text. */
  acceptedDifference: string;
  record: '' | 'full' | 'meta' | 'off';
  /** Percent of the requests that are recorded. */
  sample: string;
  /** One column per line. */
  redact: string;
  /** One VARIABLE=REFERENCE per line. */
  secret: string;
  resources: ResourceValues;
}

export const emptyValues: DeployValues = {
  model: '',
  example: '',
  name: '',
  role: 'stable',
  percent: '',
  notebooks: [],
  gates: [],
  reason: '',
  label: '',
  method: '',
  signature: '',
  training: '',
  nullable: [],
  include: '',
  strict: false,
  waive: [],
  isolated: false,
  engine: 'native',
  acceptedDifference: '',
  record: '',
  sample: '',
  redact: '',
  secret: '',
  resources: { workers: '', cpu: '', memory: '', threads: '', gpu: '', idle_after: '' }
};

/** The percentage of a role; stable gets the rest. */
export const defaultPercent: Record<DeployRole, string> = {
  stable: '',
  shadow: '100',
  canary: '10'
};

/** The problems of a typed percentage; an empty one of a canary or a shadow is one too. */
export function percentProblems(role: DeployRole, percent: string): FieldProblem[] {
  const share = Number(percent);
  if (role === 'stable' || (share > 0 && share <= 100)) return [];
  return [
    {
      field: 'percent',
      message: percent.trim()
        ? `${percent.trim()} is not a percentage`
        : 'the percentage is missing',
      remedy: 'enter a number above 0 and up to 100',
      finding: null
    }
  ];
}

/** The percentage for a request; null: it is the role's default. */
export function requestedPercent(role: DeployRole, percent: string): number | null {
  return role === 'stable' || percent.trim() === defaultPercent[role] ? null : Number(percent);
}

/**
 * The dialog's initial values: the model and the example of the notebook's last deploy; else the
 * best model, unless it is an unusual one, with its best example; and the files next to the
 * notebook.
 */
export function initialValues(report: KernelReport, context: NotebookContextView): DeployValues {
  const { last } = context;
  const again = report.models.find(model => model.variable === last?.model);
  const best = report.models[0]?.unusual ? undefined : report.models[0];
  const model = again ?? best;
  const role = nextRole(context.name, context);
  return {
    ...emptyValues,
    model: model?.variable ?? '',
    method: again && last?.method && last.method !== again.method ? last.method : '',
    example: (again && last?.example) ?? model?.examples[0]?.expression ?? '',
    nullable: again && last ? last.nullable : [],
    name: context.name,
    role,
    percent: defaultPercent[role],
    notebooks: preselectedNotebooks(context)
  };
}

/**
 * Notebooks with gates that name no other model, if the endpoint has no gates yet. Others may be
 * any notebooks with parameters.
 */
function preselectedNotebooks(context: NotebookContextView): string[] {
  if (hasGates(context)) return [];
  return context.notebooks
    .filter(notebook => notebook.gates.length > 0 && notebook.of === '')
    .map(notebook => notebook.path);
}

/** Whether the endpoint, or nbdeploy.yaml, has gates that apply if the request names none. */
export function hasGates(context: NotebookContextView): boolean {
  return context.asked.length > 0 || context.gates.length > 0;
}

/** The role of a next release with this name. */
export function nextRole(name: string, context: NotebookContextView): 'stable' | 'shadow' {
  return Object.hasOwn(context.endpoints, name) ? (context.endpoints[name] ?? 'shadow') : 'stable';
}

/** The model of this name in the list. */
export function modelOf(values: DeployValues, report: KernelReport): ModelCandidate | undefined {
  return report.models.find(model => model.variable === values.model.trim());
}

/**
 * The same values with another model: its best example replaces a guessed one, and that of the last
 * deploy.
 */
export function withModel(
  values: DeployValues,
  variable: string,
  report: KernelReport,
  context: NotebookContextView
): DeployValues {
  const before = modelOf(values, report);
  const guessed =
    !values.example.trim() ||
    values.example === context.last?.example ||
    before?.examples.some(guess => guess.expression === values.example);
  const model = report.models.find(one => one.variable === variable);
  const example = guessed ? (model?.examples[0]?.expression ?? '') : values.example;
  return { ...values, model: variable, example, nullable: [] };
}

/**
 * The same values with another name: the role becomes that of the endpoint's next release, unless
 * the user chose one.
 */
export function withName(
  values: DeployValues,
  name: string,
  context: NotebookContextView,
  chosen: boolean
): DeployValues {
  const next = nextRole(name.trim(), context);
  const isFirst = next === 'stable';
  const keeps = isFirst ? values.role === 'stable' : chosen;
  return keeps ? { ...values, name } : withRole({ ...values, name }, next);
}

export function withRole(values: DeployValues, role: DeployRole): DeployValues {
  return { ...values, role, percent: defaultPercent[role] };
}

/** The request, without the values that are the defaults. */
export function requestOf(values: DeployValues, context: NotebookContextView): DeployRequest {
  const next = nextRole(values.name.trim(), context);
  const first = next === 'stable';
  const lines = (text: string): string[] =>
    text
      .split('\n')
      .map(line => line.trim())
      .filter(Boolean);
  const gates = values.gates.map(gate => gate.trim()).filter(Boolean);
  const percent = first ? null : requestedPercent(values.role, values.percent);
  const request: DeployRequest = {
    model: values.model.trim(),
    name: values.name.trim()
  };
  for (const field of ['example', 'label', 'method', 'signature', 'training', 'reason'] as const) {
    if (values[field].trim()) request[field] = values[field].trim();
  }
  // The default role is left out, so an unchanged model, which may be stable, keeps its role.
  if (!first && values.role !== next) request.role = values.role;
  if (percent !== null) request.percent = percent;
  if (values.notebooks.length) request.validate = [...values.notebooks];
  if (gates.length) request.gate = gates;
  if (values.nullable.length) request.nullable = [...values.nullable];
  if (lines(values.include).length) request.include = lines(values.include);
  if (values.strict) request.strict = true;
  if (values.waive.length) request.waive = [...values.waive];
  if (values.isolated) request.isolated = true;
  if (values.engine !== 'native') {
    request.engine = values.engine;
    const accepted = values.acceptedDifference.trim();
    if (accepted) request.accepted_difference = Number(accepted);
  }
  if (values.record) request.record = values.record;
  if (values.sample.trim()) request.record_sample = Number(values.sample) / 100;
  if (lines(values.redact).length) request.redact = lines(values.redact);
  if (lines(values.secret).length) request.secret = secretsIn(lines(values.secret));
  const limits = RESOURCES.map(name => [name, values.resources[name].trim()] as const);
  if (limits.some(([, limit]) => limit)) {
    request.resources = Object.fromEntries(limits.filter(([, limit]) => limit));
  }
  return request;
}

/** The fields of an earlier request, to try it again. */
export function valuesOf(request: DeployRequest, context: NotebookContextView): DeployValues {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const list = (value: unknown): string[] =>
    Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : [];
  const name = text(request.name);
  const next = nextRole(name, context);
  const asked = request.role;
  const role = asked && asked !== 'auto' && next !== 'stable' ? asked : next;
  return {
    ...emptyValues,
    model: text(request.model),
    example: text(request.example),
    name,
    role,
    percent: typeof request.percent === 'number' ? String(request.percent) : defaultPercent[role],
    notebooks: list(request.validate),
    gates: list(request.gate),
    reason: text(request.reason),
    label: text(request.label),
    method: text(request.method),
    signature: text(request.signature),
    training: text(request.training),
    nullable: list(request.nullable),
    include: list(request.include).join('\n'),
    strict: request.strict ?? false,
    waive: list(request.waive),
    isolated: request.isolated ?? false,
    engine: request.engine ?? 'native',
    acceptedDifference:
      typeof request.accepted_difference === 'number' ? String(request.accepted_difference) : '',
    record: request.record ?? '',
    sample:
      typeof request.record_sample === 'number'
        ? String(Number((request.record_sample * 100).toPrecision(8)))
        : '',
    redact: list(request.redact).join('\n'),
    secret: Object.entries(request.secret ?? {})
      .map(([variable, reference]) =>
        variable === reference ? variable : `${variable}=${reference}`
      )
      .join('\n'),
    resources: resourcesIn(request)
  };
}

/** References by variable; `off` stands for itself. */
function secretsIn(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map(text => {
      const at = text.indexOf('=');
      return at < 0
        ? [text, text === 'off' ? text : '']
        : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    })
  );
}

function resourcesIn(request: DeployRequest): ResourceValues {
  const asked = request.resources ?? {};
  const textFor = (name: ResourceName): string =>
    name in asked ? String(asked[name] ?? 'any') : emptyValues.resources[name];
  return Object.fromEntries(RESOURCES.map(name => [name, textFor(name)])) as ResourceValues;
}
