// Made by scripts/typescript.py from the JSON Schemas of jupyter_deploy; CI fails when it is stale.
/* eslint-disable */
/**
 * An instance to which the two models give different answers.
 */
export interface AnswerChange {
  instance: unknown;
  before: unknown;
  after: unknown;
}
/**
 * The frequency of an answer (a label) in rows of each release; the answer "" stands for all others.
 */
export interface AnswerCount {
  answer: string;
  stable: number;
  candidate: number;
}
/**
 * The form of one field's values: of a sample of rows, without intervals.
 *
 * Attributes
 * ----------
 * rows
 *     The sampled rows in which both releases have the field.
 * stable, candidate
 *     Of a text ``p50`` and ``max`` of its characters, of a list those of its items; of an image ``width`` and
 *     ``height`` in pixels (medians).
 * exact
 *     The share of texts or images that are equal.
 * overlap
 *     Of lists: the mean share of common members among all members of the two (Jaccard index).
 * calibration
 *     Of probabilities: by stable's probability of its most likely class, of two classes of the second one.
 */
export interface AnswerShape {
  field: string;
  kind: 'text' | 'list' | 'image' | 'probabilities';
  rows: number;
  stable: {
    [k: string]: number;
  };
  candidate: {
    [k: string]: number;
  };
  exact: number | null;
  overlap: number | null;
  calibration: CalibrationBin[];
}
/**
 * Rows by stable's probability of a class: the mean probabilities that both releases give to that class.
 */
export interface CalibrationBin {
  low: number;
  high: number;
  rows: number;
  stable: number;
  candidate: number;
}
/**
 * What one release answered; ``output`` is JSON, ``cut``: not all of it.
 */
export interface Answered {
  release: string;
  role: string;
  status: number;
  latency_ms: number;
  output: string;
  error: string;
  cut: boolean;
  ts: string;
}
/**
 * The answers to the same instances.
 *
 * ``basis`` describes the instances; ``problem`` says why no comparison is possible.
 */
export interface Answers {
  basis: string;
  compared: number;
  differ: number;
  /**
   * The largest absolute difference of two numbers.
   */
  largest: number | null;
  changes: AnswerChange[];
  problem: string;
}
/**
 * Make endpoints as a YAML file says; 'nbdeploy plan FILE' shows the changes first.
 *
 * Each change is a revision of its own, in the order of 'plan'. An endpoint that the file does not name stays as it
 * is. A second 'apply' continues an interrupted one, and changes nothing after a complete one.
 */
export interface ApplyRequest {
  /**
   * A YAML file with one document for each endpoint, as 'nbdeploy describe NAME -o yaml' writes it.
   */
  file?: string | null;
  /**
   * In place of a file: the document of one endpoint, as JSON. Its relative paths are those of this folder.
   */
  document?: EndpointDocument | null;
  /**
   * Accept snapshots from another store, after you have checked their origin.
   */
  trust?: boolean;
  /**
   * Continue although gates do not hold; needs a reason, which is stored.
   */
  force?: boolean;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * The desired state of an endpoint, the same for every target.
 *
 * ``traffic`` may be left out: then the shares stay as people and ramps set them, and a new release begins as a
 * shadow.
 */
export interface EndpointDocument {
  /**
   * The version of this format.
   */
  version?: 1;
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The target that runs its releases.
   */
  target?: string;
  /**
   * False: its processes are stopped; releases and history stay.
   */
  running?: boolean;
  /**
   * Data to record of each request.
   */
  record?: ('full' | 'meta' | 'off') | null;
  /**
   * Share of the requests to record.
   */
  record_sample?: number | null;
  /**
   * Tolerance and segments.
   */
  comparison?: ComparisonDocument | null;
  /**
   * The notebooks and gates that each release must pass; paths are relative to the file.
   */
  validations?: ValidationSpecInput[] | null;
  /**
   * How it is called besides HTTP requests.
   */
  serve?: ServeDocumentInput | null;
  /**
   * @minItems 1
   */
  releases: ReleaseDocument[];
  traffic?: TrafficDocument | null;
}
/**
 * The settings of an endpoint's comparisons; what is left out has its default.
 */
export interface ComparisonDocument {
  /**
   * Numbers agree within this share of stable's.
   */
  tolerance?: number | null;
  /**
   * Numbers agree within this difference too.
   */
  absolute_tolerance?: number | null;
  /**
   * 'region', 'age: <30, 30-60, >=60': figures by segment.
   */
  segments?: string[];
}
/**
 * A validation that each release of an endpoint has to pass.
 *
 * ``notebook`` None: gates on the comparison of live traffic alone. ``traffic``: the amount of recorded traffic for
 * the notebook, such as ``1h``.
 */
export interface ValidationSpecInput {
  notebook?: string | null;
  parameters?: {
    [k: string]: unknown;
  };
  /**
   * One run for each combination of these values of parameters.
   */
  matrix?:
    | {
        [k: string]: unknown[];
      }
    | string[];
  gates?: string[];
  traffic?: string | null;
}
/**
 * The ways in which an endpoint is called; one that is left out, but HTTP, ends.
 */
export interface ServeDocumentInput {
  http?: HttpDocument;
  /**
   * The files that it scores by a schedule; null: none. Paths are relative to the file.
   */
  batch?: BatchSpecInput | null;
  /**
   * The messages that it answers; null: none.
   */
  stream?: StreamSpecInput | null;
}
/**
 * Requests of HTTP, which it always answers.
 */
export interface HttpDocument {}
/**
 * The batches of an endpoint by schedule: what is read, where the answers go, when; a part of its document too.
 */
export interface BatchSpecInput {
  /**
   * Files to read: a path, a folder, a pattern such as 'data/day=* /*.parquet', or a URL (s3://…, gs://…). Parquet, CSV, JSON lines and Arrow, by the end of the name.
   */
  source: string;
  /**
   * Folder of the answers, a path or a URL. What is scored there already stays.
   */
  sink: string;
  /**
   * Run at the moments of a cron expression, such as '0 3 * * *': each night at 3, in this machine's time; in a cluster, in UTC.
   */
  schedule: string;
  /**
   * A column of the source that goes along with the answers, such as an id (repeatable).
   */
  keep?: string[];
  /**
   * Format of the answers.
   */
  format?: 'parquet' | 'csv' | 'jsonl' | 'arrow';
  /**
   * Processes (default: one a processor).
   */
  workers?: number | null;
  /**
   * In a cluster: the pods that score at the same time, each a share of the files.
   */
  pods?: number;
  /**
   * Refused rows up to which the exit code is 0: a number, or a share such as 1%.
   */
  max_errors?: string;
  /**
   * shadow: each shadow answers the rows too, into SINK/_shadow/VERSION, and 'compare' sees both.
   */
  role?: 'stable' | 'shadow';
  /**
   * A validation notebook that judges the answers of each complete run (repeatable); its parameter 'sink' is their folder.
   */
  validate?: string[];
  /**
   * A condition on the notebooks' metrics, such as 'share_of_yes <= 0.3' (repeatable).
   */
  gate?: string[];
}
/**
 * The stream of an endpoint: what is read, and where the answers go; a part of its document too.
 */
export interface StreamSpecInput {
  /**
   * Messages to answer: nats://HOST:PORT/SUBJECT (JetStream), redis://HOST:PORT/STREAM, amqp://HOST:PORT/QUEUE (RabbitMQ), kafka://HOST:PORT/TOPIC or mqtt://HOST:PORT/TOPIC.
   */
  source: string;
  /**
   * Place of the answers, with the source's form.
   */
  sink: string;
  /**
   * Place of the messages that cannot be answered, with the reason (default: the sink's with .dead at its end).
   */
  dead_letters?: string;
  /**
   * Where the first start begins: with the next message, or with the first one that the broker has. Later starts go on where the last one ended.
   */
  begin?: 'next' | 'first';
  /**
   * Failures of the model on a message until it is given up.
   */
  attempts?: number;
  /**
   * A file whose one line is USER:PASSWORD for the broker.
   */
  credentials?: string;
}
/**
 * One release of an endpoint's document; a field that is left out stays as it is.
 */
export interface ReleaseDocument {
  /**
   * NAME:VERSION of a snapshot in the store, as 'describe' shows it.
   */
  tag: string;
  /**
   * HOST/PATH@sha256:… of the image that it runs from; a new one without: its bento.
   */
  image?: string | null;
  /**
   * A name in your own words.
   */
  label?: string | null;
  /**
   * Columns whose values are never stored.
   */
  redact?: string[] | null;
  /**
   * References by variable, such as {DB_URL: env:PROD_DB}; {}: none. Never values.
   */
  secrets?: {
    [k: string]: string;
  } | null;
  /**
   * cpu, memory, gpu, workers, threads, idle_after, replicas; one that is left out has no limit.
   */
  resources?: {
    [k: string]: number | string | null;
  } | null;
}
/**
 * The roles of the releases; a release without a role is idle.
 */
export interface TrafficDocument {
  /**
   * The tag of the release that answers what the canary leaves.
   */
  stable: string;
  /**
   * At most one TAG: PERCENT of the requests.
   */
  canary?: {
    [k: string]: number;
  };
  /**
   * TAG: PERCENT of the requests that it gets a copy of.
   */
  shadow?: {
    [k: string]: number;
  };
}
/**
 * Whether the endpoints start again after a reboot; ``todo``: a command that the user must still run.
 */
export interface AtBoot {
  unit: string;
  on: boolean;
  todo: string | null;
}
/**
 * Find models for a table: search, write a notebook that trains the best ones, and show them as candidates.
 *
 * The search tries models of each family by cross-validation. The notebook trains the best of each family, an ensemble
 * of them and a plain baseline by scikit-learn and LightGBM alone. It is run, its models are proved to answer as the
 * search's did, and all are measured as 'candidates' does. Nothing is deployed without --deploy.
 *
 * Example: nbdeploy automl tumours.parquet --label-column malignant --time 10m --budget "p99 <= 5ms" --deploy tumour
 */
export interface AutomlRequest {
  /**
   * The table, a Parquet or CSV file: a row for each case.
   */
  data: string;
  /**
   * The column to predict.
   */
  label_column: string;
  /**
   * How long to search, such as 10m (default: 1m without --trials); training, proof and measurement come on top.
   */
  time?: string | null;
  /**
   * How many models to try: with the same seed the result is the same. With --time, whichever ends first.
   */
  trials?: number | null;
  /**
   * A metric by scikit-learn's name, such as f1_macro (default: accuracy for classes, else the mean absolute error; the log loss of predict_proba).
   */
  metric?: string | null;
  /**
   * A condition that the chosen model meets (repeatable), such as 'p99 <= 5ms', 'memory_mb <= 300' or 'accuracy >= 0.9'.
   */
  budget?: string[];
  /**
   * Of the split, the search and the models.
   */
  seed?: number;
  /**
   * auto: texts, truth values and few whole numbers are classes.
   */
  task?: 'auto' | 'classification' | 'regression';
  /**
   * The method to serve (default: predict); predict_proba: probabilities of classes.
   */
  method?: ('predict' | 'predict_proba') | null;
  /**
   * A column that the models do not get (repeatable), such as one that is not known yet when a prediction is needed.
   */
  exclude?: string[];
  /**
   * The latest rows by this column are held out (default: the only column with dates).
   */
  time_column?: string | null;
  /**
   * Rows with the same value of this column, such as a customer, are never on both sides of a split; the models do not get it.
   */
  group_column?: string | null;
  /**
   * Hold out random rows although there is a column of dates.
   */
  random_split?: boolean;
  /**
   * The search engine: flaml, or autogluon, which is installed into an environment of its own.
   */
  engine?: string;
  /**
   * The notebook to write (default: automl-LABEL.ipynb in this folder).
   */
  notebook?: string | null;
  /**
   * Replace an existing notebook.
   */
  replace?: boolean;
  /**
   * Do not translate the models to ONNX.
   */
  native_only?: boolean;
  /**
   * Deploy the best model that meets the budget behind this endpoint: the first release is stable, a later one starts as a shadow.
   */
  deploy?: string | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * The result of a batch.
 *
 * Attributes
 * ----------
 * state
 *     ``complete``; ``interrupted``: the same command goes on; ``planned``: a dry run.
 * partitions
 *     Parts of the source: files, or groups of rows of a large Parquet file.
 * already
 *     Partitions that were scored before, by the same release, and have not changed since.
 * rows, refused
 *     Of the partitions that were scored now.
 * reasons
 *     Refused rows by reason, the most frequent ones.
 * replaced
 *     Partitions whose former answers are replaced, since the file or the release changed.
 * validation
 *     The judgement of the answers in the sink; None: nothing was asked, or the batch is not complete.
 */
export interface Batch {
  endpoint: string;
  release: string;
  source: string;
  sink: string;
  state: 'complete' | 'interrupted' | 'planned';
  partitions: number;
  already: number;
  scored: number;
  replaced: number;
  rows: number;
  refused: number;
  reasons: {
    [k: string]: number;
  };
  seconds: number;
  max_errors: string;
  shadows: ShadowBatch[];
  validation: Validation | null;
}
/**
 * The answers of a shadow to the rows of a batch; ``problem``: why it has none, empty: it has.
 *
 * ``rows`` and ``refused`` are of the partitions that were scored now.
 */
export interface ShadowBatch {
  release: string;
  sink: string;
  rows: number;
  refused: number;
  problem: string;
}
/**
 * A run of validation notebooks against gates.
 *
 * ``snapshot`` was validated (None: the notebooks call no model) and compared with ``stable``. ``trigger`` is the
 * verb that started it; ``forced`` is the reason of ``--force``.
 */
export interface Validation {
  id: string;
  at: string;
  by: string;
  trigger: 'validate' | 'deploy' | 'traffic' | 'promote' | 'batch';
  snapshot: string | null;
  endpoint: string | null;
  stable: string | null;
  runs: Run[];
  /**
   * Gates on the comparison of live traffic.
   */
  live: GateResult[];
  seconds: number;
  /**
   * An HTML page with all of it.
   */
  report: string | null;
  /**
   * Which report could not be written, and why.
   */
  unreported: string;
  forced: string | null;
  /**
   * What else is to be known, such as what was left out.
   */
  notes: string[];
  /**
   * It was ended before all had run: by Ctrl-C, or by a polite kill.
   */
  stopped: ('interrupted' | 'terminated') | null;
  /**
   * The worst of its runs and gates.
   */
  verdict: 'pass' | 'fail' | 'inconclusive';
}
/**
 * One validation notebook, run once with one set of parameters.
 */
export interface Run {
  notebook: string;
  parameters: {
    [k: string]: unknown;
  };
  kernel: string;
  status: 'done' | 'raised' | 'timeout' | 'died' | 'interrupted' | 'not run';
  seconds: number;
  metrics: Metric[];
  /**
   * Of the same notebook, asked of stable.
   */
  stable_metrics: Metric[];
  checks: Check[];
  gates: GateResult[];
  error: CellError | null;
  /**
   * Why it was not run, or not to its end.
   */
  detail: string;
  /**
   * The notebook as it ran.
   */
  executed: string | null;
  executed_stable: string | null;
  /**
   * A digest of all that its result depends on; empty: not to be reused.
   */
  key: string;
}
/**
 * A figure that a notebook measured.
 *
 * The value is the ``statistic`` of ``rows``, one number a row, in the notebook's order; they pair a candidate with
 * stable. ``replicates`` are bootstrap replicates of a figure without per-row numbers, such as an area under a curve;
 * replicate i has the same resampled rows in every run over as many rows. ``clusters`` numbers each row's cluster,
 * such as its patient: rows of one cluster are alike. Documents have none of these.
 */
export interface Metric {
  name: string;
  value: number;
  /**
   * Of how many rows; None: not said.
   */
  n: number | null;
  /**
   * The subgroup that it is of, such as {'sex': 'F'}.
   */
  group: {
    [k: string]: string;
  };
  statistic: string;
  /**
   * Which cell of the notebook, from 1.
   */
  cell: number | null;
  /**
   * Of the value; None: it was given without rows.
   */
  interval: Interval | null;
}
export interface Interval {
  low: number;
  high: number;
  level: number;
}
/**
 * A condition that a notebook checked.
 */
export interface Check {
  name: string;
  passed: boolean;
  detail: string;
  cell: number | null;
}
/**
 * A gate and whether it holds; ``sentence`` explains it in one line, ``method`` names the statistic behind it.
 */
export interface GateResult {
  expression: string;
  /**
   * Where it stands: the notebook, nbdeploy.yaml, the endpoint, …
   */
  origin: string;
  verdict: 'pass' | 'fail' | 'inconclusive';
  sentence: string;
  method: string;
  value: number | null;
  interval: Interval | null;
  stable: number | null;
  threshold: number | null;
  n: number | null;
  /**
   * Attempts at this gate since its last pass, this one included.
   */
  attempt: number;
}
/**
 * The error of a cell; ``traceback`` has no colours and no secrets.
 */
export interface CellError {
  cell: number;
  ename: string;
  evalue: string;
  traceback: string;
}
/**
 * Answer the rows of files by a release, once or with --schedule again and again.
 *
 * Without --source and --sink, show the schedule with its runs. A schedule is of the endpoint: each run uses the
 * release that is stable then, and a program of its own, which outlives notebook and shell, begins it. A moment that
 * comes while a run goes on is left out; after moments at which the machine was off, one run makes up for all. In a
 * cluster a CronJob begins the runs.
 *
 * For example: nbdeploy batch churn --source 'data/day=* /*.parquet' --sink scores --schedule "0 3 * * *".
 * Details: docs/how-to/score-a-table-every-night.md.
 */
export interface BatchRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * Files to read: a path, a folder, a pattern such as 'data/day=* /*.parquet', or a URL (s3://…, gs://…). Parquet, CSV, JSON lines and Arrow, by the end of the name.
   */
  source?: string | null;
  /**
   * Folder of the answers, a path or a URL. What is scored there already stays.
   */
  sink?: string | null;
  /**
   * Run at the moments of a cron expression, such as '0 3 * * *': each night at 3, in this machine's time; in a cluster, in UTC.
   */
  schedule?: string | null;
  /**
   * The release (default: stable).
   */
  release?: string | null;
  /**
   * shadow: each shadow answers the rows too, into SINK/_shadow/VERSION, and 'compare' sees both.
   */
  role?: 'stable' | 'shadow';
  /**
   * A column of the source that goes along with the answers, such as an id (repeatable).
   */
  keep?: string[];
  /**
   * Format of the answers.
   */
  format?: 'parquet' | 'csv' | 'jsonl' | 'arrow';
  /**
   * Processes (default: one a processor).
   */
  workers?: number | null;
  /**
   * In a cluster: the pods that score at the same time, each a share of the files.
   */
  pods?: number;
  /**
   * Refused rows up to which the exit code is 0: a number, or a share such as 1%.
   */
  max_errors?: string;
  /**
   * A validation notebook that judges the answers of each complete run (repeatable); its parameter 'sink' is their folder.
   */
  validate?: string[];
  /**
   * A condition on the notebooks' metrics, such as 'share_of_yes <= 0.3' (repeatable).
   */
  gate?: string[];
  /**
   * kubernetes: a Job of the release's image, on the endpoint's cluster; buckets only.
   */
  run_on?: 'local' | 'kubernetes';
  /**
   * Show what would be scored, and write nothing.
   */
  dry_run?: boolean;
  /**
   * Remove the schedule; the answers stay.
   */
  stop?: boolean;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * One run of a schedule by one release: stable, or a shadow.
 *
 * Attributes
 * ----------
 * due
 *     The moment of the schedule that it is for.
 * ended
 *     None: it runs, or it was killed; then the next start goes on with it.
 * missed
 *     Moments of the schedule before it at which nothing could run, as the machine was off; it makes up for them.
 * overlapped
 *     Moments of the schedule that came while it ran, and were left out.
 * problem
 *     Why it failed; empty: it did not.
 * validation
 *     The judgement of its answers; None: nothing was asked.
 */
export interface BatchRun {
  due: string;
  began: string;
  ended: string | null;
  release: string;
  rows: number;
  refused: number;
  too_many_refused: boolean;
  problem: string;
  missed: number;
  overlapped: number;
  validation: Validated | null;
}
/**
 * The short form of the last validation that a release was added or promoted by.
 *
 * ``said`` has the reasons of the verdict; ``forced`` is the reason of ``--force`` in this or a former validation.
 * ``keys`` are those of its runs (``Run.key``), ``keys_alone`` the keys of the same runs without a stable release.
 */
export interface Validated {
  id: string;
  at: string;
  verdict: 'pass' | 'fail' | 'inconclusive';
  said: string;
  lines: ResultLine[];
  report: string | null;
  forced: string | null;
  keys: string[];
  keys_alone: string[];
}
/**
 * One result of a validation in one sentence: of a gate, a check, or a notebook that did not end.
 */
export interface ResultLine {
  verdict: 'pass' | 'fail' | 'inconclusive';
  sentence: string;
}
/**
 * The batches of an endpoint by schedule: what is read, where the answers go, when; a part of its document too.
 */
export interface BatchSpecOutput {
  /**
   * Files to read: a path, a folder, a pattern such as 'data/day=* /*.parquet', or a URL (s3://…, gs://…). Parquet, CSV, JSON lines and Arrow, by the end of the name.
   */
  source: string;
  /**
   * Folder of the answers, a path or a URL. What is scored there already stays.
   */
  sink: string;
  /**
   * Run at the moments of a cron expression, such as '0 3 * * *': each night at 3, in this machine's time; in a cluster, in UTC.
   */
  schedule: string;
  /**
   * A column of the source that goes along with the answers, such as an id (repeatable).
   */
  keep: string[];
  /**
   * Format of the answers.
   */
  format: 'parquet' | 'csv' | 'jsonl' | 'arrow';
  /**
   * Processes (default: one a processor).
   */
  workers: number | null;
  /**
   * In a cluster: the pods that score at the same time, each a share of the files.
   */
  pods: number;
  /**
   * Refused rows up to which the exit code is 0: a number, or a share such as 1%.
   */
  max_errors: string;
  /**
   * shadow: each shadow answers the rows too, into SINK/_shadow/VERSION, and 'compare' sees both.
   */
  role: 'stable' | 'shadow';
  /**
   * A validation notebook that judges the answers of each complete run (repeatable); its parameter 'sink' is their folder.
   */
  validate: string[];
  /**
   * A condition on the notebooks' metrics, such as 'share_of_yes <= 0.3' (repeatable).
   */
  gate: string[];
}
/**
 * The observed state of a schedule: whether its program runs, when the next run is due, and its runs.
 */
export interface BatchState {
  running: boolean;
  due: string | null;
  runs: BatchRun[];
}
/**
 * Desired and observed state of an endpoint's batches by schedule; ``spec`` None: it has none.
 */
export interface BatchStatus {
  endpoint: string;
  revision: number;
  /**
   * Whether the endpoint runs; a stopped endpoint scores nothing.
   */
  running: boolean;
  spec: BatchSpecOutput | null;
  state: BatchState | null;
}
/**
 * Rows with a value from ``low`` to ``high``; the end belongs to the next bin, except of the last one.
 */
export interface Bin {
  low: number;
  high: number;
  rows: number;
}
/**
 * The calibration of a classifier's probabilities.
 *
 * Attributes
 * ----------
 * brier
 *     The mean squared distance of the probabilities from the truth (``calibration.brier``).
 * ece
 *     The expected calibration error over ``bins`` bins of equal width of the largest probability.
 * served
 *     They are the answers of the clean process, and not those of the notebook's ``predict_proba``.
 */
export interface Calibration {
  brier: number;
  ece: number;
  bins: number;
  served: boolean;
}
/**
 * A figure in words; ``range``: its interval, or the range of the rounds.
 */
export interface CandidateCell {
  value: string;
  range: string;
}
/**
 * The score of one row in one subgroup.
 */
export interface CandidateGroup {
  label: string;
  group: string;
  rows: number;
  score: string;
  interval: string;
}
/**
 * A row of the table: one model with one engine.
 *
 * Attributes
 * ----------
 * tag
 *     The stored snapshot that was measured, and that a deploy serves.
 * against_best, against_stable
 *     This model's score minus that of the best row, and of the endpoint's stable release. All pairs of rows hold
 *     together at their level.
 * artifact_mb, libraries_mb
 *     The snapshot's files; the installed distributions of its lock, which an image holds too, in 10^6 bytes.
 * fits
 *     The spread over the fits of the model, of which the row is the first one; None: it has one fit.
 * violated
 *     The constraints that the row does not meet.
 * on_front
 *     No other remaining row has a better or equal score, latency and cost, and one of them better.
 */
export interface CandidateModel {
  name: string;
  engine: 'native' | 'onnx';
  tag: string;
  score: Score;
  against_best: Score | null;
  against_stable: Score | null;
  groups: GroupScore[];
  performance: JupyterDeploy_Domain_ModelSelection_Selection__Performance;
  artifact_mb: number;
  libraries_mb: number | null;
  cost_per_million: number | null;
  calibration: Calibration | null;
  fits: Fits | null;
  violated: string[];
  on_front: boolean;
}
/**
 * The metric of one model, or its difference from that of another one; ``why``: there is no interval.
 */
export interface Score {
  value: number;
  interval: Interval | null;
  method: string;
  why: string;
}
/**
 * The metric in one subgroup of the rows.
 */
export interface GroupScore {
  group: {
    [k: string]: string;
  };
  rows: number;
  score: Score;
}
/**
 * The performance of one model in a clean process on one processor.
 *
 * A call decodes a request's JSON, calls the model and encodes the answer; HTTP and records are left out.
 *
 * Attributes
 * ----------
 * latency_p50_ms, latency_p99_ms
 *     Quantiles of calls with one row, in milliseconds.
 * batch_p50_ms, batch_p99_ms
 *     Those of calls with ``batch_rows`` rows.
 * rows_per_second
 *     Rows in such batches by the time that they take.
 * predictions_per_second
 *     Calls with one row by the time that they take.
 * memory_mb
 *     The largest resident memory of the process so far, in 10^6 bytes, libraries included.
 * load_s
 *     The time from the start of the process until the model is loaded, once.
 */
export interface JupyterDeploy_Domain_ModelSelection_Selection__Performance {
  batch_rows: number;
  rounds: number;
  latency_p50_ms: Spread;
  latency_p99_ms: Spread;
  batch_p50_ms: Spread;
  batch_p99_ms: Spread;
  rows_per_second: Spread;
  predictions_per_second: Spread;
  /**
   * None: the system does not say.
   */
  memory_mb: number | null;
  load_s: number;
}
/**
 * The median of a figure over the rounds of a measurement, with its smallest and its largest round.
 */
export interface Spread {
  median: number;
  low: number;
  high: number;
}
/**
 * The scores of several fits of one model on the same rows, such as those of other seeds or folds.
 *
 * They are the spread of the training, and no interval of the rows.
 *
 * Attributes
 * ----------
 * sd
 *     The standard deviation of the fits' scores, with ``count - 1``.
 */
export interface Fits {
  count: number;
  mean: number;
  low: number;
  high: number;
  sd: number;
}
/**
 * A row of the table, in the table's order.
 *
 * Attributes
 * ----------
 * cells
 *     One for each of the view's columns.
 * reasons
 *     The violated constraints, each with the row's figure.
 * on_front
 *     No other row that meets the constraints has a better score, latency and cost.
 * stable
 *     It is the endpoint's stable release, which is deployed already.
 */
export interface CandidateRow {
  label: string;
  tag: string;
  cells: CandidateCell[];
  reasons: string[];
  on_front: boolean;
  stable: boolean;
}
/**
 * Choose among models of a notebook: measure each one, natively and translated, and show one table.
 *
 * Each model is captured as a deploy captures it and measured in a clean process: its score on your rows with
 * intervals, its latency, throughput, memory and cost. Nothing is deployed.
 *
 * Example: nbdeploy candidates train.ipynb logit forest --x X_test --y y_test --constraint "latency_p99_ms <= 5"
 */
export interface CandidatesRequest {
  /**
   * A notebook, which runs headless with all its cells, then the variables that hold the models, each one a model or a list of its fits; in a magic the variables alone.
   */
  models?: string[];
  /**
   * An expression for the rows that the models take, such as X_test.
   */
  x: string;
  /**
   * An expression for their true answers, such as y_test.
   */
  y: string;
  /**
   * A metric by scikit-learn's name, such as f1_macro, or a function's name (default: accuracy for classifiers, else the mean absolute error).
   */
  metric?: string | null;
  /**
   * Subgroups to score too: a column of x, or an expression for a named column.
   */
  by?: string | null;
  /**
   * A condition on a figure (repeatable), such as 'memory_mb <= 300' or 'accuracy >= stable - 0.01'.
   */
  constraint?: string[];
  /**
   * The method to serve (default: predict); predict_proba is scored by the log loss.
   */
  method?: string | null;
  /**
   * An endpoint whose stable release is measured too, as the row 'stable'.
   */
  endpoint?: string | null;
  /**
   * Do not translate the models to ONNX.
   */
  native_only?: boolean;
}
/**
 * A choice among models as JupyterLab shows it.
 *
 * Attributes
 * ----------
 * figures
 *     The names that constraints may have.
 * table
 *     The data, which a deploy takes.
 */
export interface CandidatesView {
  headline: string;
  columns: string[];
  rows: CandidateRow[];
  groups: CandidateGroup[];
  facts: {
    [k: string]: string;
  };
  figures: string[];
  chart: {
    [k: string]: unknown;
  };
  table: ModelSelection;
}
/**
 * The table of a choice: rows that meet the constraints first, by score, then the others.
 *
 * Attributes
 * ----------
 * rows_of_data
 *     The rows on which the models were scored.
 * level
 *     The confidence level at which all differences between two models hold together.
 * endpoint
 *     The endpoint whose stable release is the row ``stable``; empty: there is none.
 * core_hour
 *     The price of a core-hour, the setting ``cost``; None: it is not set.
 */
export interface ModelSelection {
  metric: string;
  greater_is_better: boolean;
  rows_of_data: number;
  level: number;
  endpoint: string;
  core_hour: number | null;
  processor: string;
  constraints: string[];
  candidates: CandidateModel[];
  left_out: LeftOut[];
  at: string;
}
/**
 * A model that could not be measured with an engine, and the reason.
 */
export interface LeftOut {
  name: string;
  engine: 'native' | 'onnx';
  why: string;
}
/**
 * A choice among models under other constraints.
 */
export interface CandidatesViewRequest {
  table: {};
  /**
   * Conditions on figures, separated by commas.
   */
  constraints?: string;
}
/**
 * A named item that was added, removed or changed; an absent value is null.
 */
export interface Change {
  name: string;
  kind: 'added' | 'removed' | 'changed';
  before: unknown;
  after: unknown;
}
/**
 * The difference between a release and its predecessor, the stable release at its deploy; ``words`` sum it up.
 */
export interface Changes {
  predecessor: string;
  words: string[];
}
/**
 * The choice that led to a release: the chosen row, and the rows that it was chosen among.
 */
export interface Choice {
  chosen: string;
  metric: string;
  greater_is_better: boolean;
  rows_of_data: number;
  level: number;
  constraints: string[];
  candidates: ChoiceRow[];
  at: string;
}
/**
 * A row of the table as it is kept with a release; numbers as in ``CandidateModel``.
 */
export interface ChoiceRow {
  label: string;
  tag: string;
  score: number;
  interval: Interval | null;
  against_best: Interval | null;
  latency_p50_ms: number;
  latency_p99_ms: number;
  memory_mb: number | null;
  cost_per_million: number | null;
  fits: Fits | null;
  violated: string[];
}
/**
 * The images and snapshots removed from this machine's stores; with ``dry_run``, those that would be removed.
 */
export interface Collected {
  folder: string;
  removed: Image[];
  kept: UsedImage[];
  /**
   * Snapshots of deleted endpoints, with their bentos.
   */
  snapshots: UnusedSnapshot[];
  /**
   * Bytes; also of layers and bases that no image needs any more.
   */
  freed: number;
  /**
   * Container engines that did not report their containers: all images were kept.
   */
  unasked: string[];
  dry_run: boolean;
}
/**
 * A built image; its digest is that of its manifest, in every store and registry.
 */
export interface Image {
  digest: string;
  /**
   * The snapshot's tag; empty: it is a gateway's image.
   */
  snapshot: string;
  snapshot_digest: string;
  builder: 'daemonless' | 'engine';
  /**
   * The base image, with its digest.
   */
  base: string;
  /**
   * As containers name it, such as linux/amd64.
   */
  platform: string;
  /**
   * Full version of the base's Python, such as 3.11.2.
   */
  python: string;
  layers: Layer[];
  labels: {
    [k: string]: string;
  };
}
/**
 * One layer; a registry stores and sends each once.
 */
export interface Layer {
  kind: 'base' | 'system' | 'dependencies' | 'model' | 'code';
  /**
   * What is in it, such as '62 distributions' or 'model.pkl'.
   */
  title: string;
  /**
   * sha256:… of the bytes that are sent.
   */
  digest: string;
  /**
   * Bytes that are sent.
   */
  size: number;
}
/**
 * An image and its uses; ``here``: it is in this machine's image store.
 */
export interface UsedImage {
  image: Image;
  here: boolean;
  /**
   * References, with tag and digest.
   */
  published: string[];
  /**
   * In words, such as 'churn (stable)'; empty: nothing.
   */
  used_by: string[];
}
/**
 * A snapshot of a deleted endpoint; ``bento`` is empty if its release ran from an image.
 */
export interface UnusedSnapshot {
  tag: string;
  /**
   * The folder in the model store.
   */
  snapshot: string;
  /**
   * The folder in the bento store.
   */
  bento: string;
  /**
   * Bytes of both.
   */
  size: number;
}
/**
 * The stored description of one column, without any text value.
 */
export interface Column {
  dtype: string;
  /**
   * Share of rows without a value.
   */
  missing: number;
  /**
   * The smallest number, or the first date as ISO 8601.
   */
  minimum: number | string | null;
  maximum: number | string | null;
  /**
   * Distinct values, of all other columns.
   */
  distinct: number | null;
}
/**
 * Compare a candidate with stable: a shadow paired on the same requests, a canary unpaired.
 */
export interface CompareRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The candidate (default: the canary, else the only shadow).
   */
  candidate?: string | null;
  /**
   * Only requests of the last 90s, 15m, 1h, 7d, … or since 2026-11-25T12:00.
   */
  since?: string | null;
  /**
   * Numbers agree within this share of stable's, such as 1% or 0.01 (default: the endpoint's, else 1e-6).
   */
  tolerance?: number | null;
  /**
   * Numbers agree within this difference too, in the answers' unit (default: the endpoint's, else 1e-9).
   */
  absolute_tolerance?: number | null;
  /**
   * Figures by the values of this column, or by bins of it, for this look only (repeatable; default: the endpoint's segments, which 'traffic --segment' declares).
   */
  segment?: string[];
  /**
   * A figure that must be shown, such as 'agreement >= 0.99' (repeatable); the exit code is 0 when all are met, 1 when one is not, 4 while one is undecided.
   */
  require?: string[];
}
/**
 * The second range: its time, that of its compared ``values`` in words, and the figures of both ranges.
 */
export interface ComparedRange {
  since: string;
  until: string;
  values: string;
  figures: RangeFigure[];
}
/**
 * A figure of a range and of the one that it is compared with, in words.
 */
export interface RangeFigure {
  name: string;
  now: string;
  compared: string;
}
/**
 * Requests that one release refused for one reason, and the other release's answers to the same requests.
 *
 * Attributes
 * ----------
 * reason
 *     The message of the refusal without the row's number and the value; empty: not recorded.
 * other
 *     The other release's statuses -> requests; empty for a canary, which answers other requests.
 */
export interface ComparedRefusal {
  release: 'stable' | 'candidate';
  status: number;
  reason: string;
  requests: number;
  other: {
    [k: string]: number;
  };
}
/**
 * A candidate against stable.
 *
 * A shadow is compared on the same requests (``paired``), joined by ``pair_id`` and row if stable answered; a
 * canary answers other requests than stable of the same time, so its figures are unpaired. All intervals hold at
 * every look (``domain.evidence.sequential``).
 *
 * Attributes
 * ----------
 * mirrored
 *     Copies of stable's requests sent to the shadow that were to be recorded: ledger lines, shadow records and
 *     overflow (paired only).
 * pairs
 *     Requests that stable answered and both recorded, whatever the status.
 * rows
 *     Rows of those pairs that both answered with 200.
 * coverage
 *     ``pairs / mirrored``.
 * clusters
 *     Units of the figures: requests of one ``x-sticky-key``, else of equal inputs, else of one minute. A cluster
 *     counts once, by the mean of its first 100 requests.
 * distinct_inputs
 *     Requests with different inputs (those with recorded inputs only).
 * agreement
 *     Share of a request's rows on which both agree, on average over the clusters. Numbers agree within
 *     ``relative_tolerance`` of stable's or ``absolute_tolerance``.
 * agreement_worst_case
 *     ``agreement * coverage``: the agreement if all mirrored requests without a comparison disagreed.
 * agreement_course
 *     The course of the agreement and its interval: at most 100 looks, evenly over the clusters, the last one being
 *     ``agreement``.
 * refusal_rate
 *     Share of the pairs in which stable answered with 200 and the candidate refused the input (paired only).
 * relative_difference
 *     Quantiles (p50, p90, p99, max) of ``|candidate - stable| / max(|candidate|, |stable|)``, if answers hold
 *     floating-point numbers (paired only). Each request has the same weight. A row with another kind of difference
 *     counts as 2, the largest possible.
 * error_difference, latency_difference_ms
 *     Candidate minus stable; latency by the median of the paired differences, or of the medians if unpaired.
 *     A canary's errors are compared by inverse propensity (``domain.evidence.propensity``).
 * slow_rate
 *     Share of the candidate's answers that take longer than stable's 95th percentile: 5 % if it is as fast. The
 *     unit is the minute.
 * by_minute
 *     ``agreement``, ``error_rate_difference`` and ``latency_p50_difference_ms`` with one-minute blocks as the unit:
 *     wider than the figure itself if requests depend on the time.
 * accuracy_difference
 *     The candidate's share of right answers minus stable's, on the rows with ground truth; None without any, and
 *     for models of numbers.
 * absolute_error_difference
 *     Median of ``|candidate - actual| - |stable - actual|`` over the clusters, in the answers' unit: below 0 the
 *     candidate is closer. Paired, and for numbers only.
 * labelled
 *     Requests with ground truth by release, predicted class and age.
 * answer_shares
 *     Unpaired only: for each frequent answer, the candidate's share minus stable's, by inverse propensity.
 * verdict
 *     ``inconclusive`` while there is too little evidence, else ``agrees`` or ``differs`` (see ``reason``).
 * recommendation
 *     ``promote``: shown to be no worse; ``stop``: shown to be worse; ``decide``: shown to give other answers, which
 *     only a person can judge; ``wait``: more requests are needed.
 * forecast
 *     The number of requests with which there usually is a verdict, and the smallest effect that they could show; only
 *     if more requests are needed.
 * requirements
 *     The requirements with their outcomes.
 * answers
 *     The frequencies of at most 20 labels, and of all others; empty for numbers.
 * refused, refusals
 *     Requests refused by each release, and the most frequent reasons, at most 10 of each release.
 * numbers
 *     The differences of answers that are single numbers (paired only).
 * fields, fields_total
 *     The agreement on each field of structured answers, at most 20, most different first; the number of fields.
 * shapes
 *     Texts, lists, images and probabilities in a sample of the answers (paired only).
 * segments
 *     The figures by segments; None: none were declared.
 * phases
 *     The evidence of each role of the candidate, if it had several, the present one last.
 * tolerance_from
 *     The origin of the tolerance: this request, the endpoint, or the default, by which no verdict is based on floats.
 */
export interface Comparison {
  endpoint: string;
  stable: string;
  candidate: string;
  role: 'shadow' | 'canary' | 'idle';
  paired: boolean;
  since: string | null;
  pairs: number;
  rows: number;
  mirrored: number;
  overflowed: number;
  /**
   * The share of the requests that is recorded now: counts are of recorded requests.
   */
  record_sample: number;
  coverage: Estimate | null;
  clusters: number;
  distinct_inputs: number;
  agreement: Estimate | null;
  agreement_worst_case: number | null;
  agreement_course: Look[];
  refusal_rate: Estimate | null;
  flips: Flip[];
  flip_count: number;
  /**
   * Quantiles of |candidate - stable|.
   */
  numeric_difference: {
    [k: string]: number;
  };
  relative_difference: {
    [k: string]: Estimate;
  };
  relative_tolerance: number;
  absolute_tolerance: number;
  /**
   * Most frequent exceptions of the candidate.
   */
  errors: {
    [k: string]: number;
  };
  /**
   * Mirrored requests without an answer, by reason.
   */
  shadow_failures: {
    [k: string]: number;
  };
  sides: {
    [k: string]: VariantSummary;
  };
  error_difference: Estimate | null;
  latency_difference_ms: Estimate | null;
  slow_rate: Estimate | null;
  by_minute: {
    [k: string]: Estimate;
  };
  accuracy_difference: Estimate | null;
  absolute_error_difference: Estimate | null;
  labelled: LabelledShare[];
  answer_shares: {
    [k: string]: Estimate;
  };
  verdict: 'inconclusive' | 'agrees' | 'differs';
  reason: string;
  recommendation: 'promote' | 'stop' | 'decide' | 'wait';
  forecast: Forecast | null;
  requirements: Requirement[];
  stochastic: boolean;
  answers: AnswerCount[];
  refused: RefusalCounts;
  refusals: ComparedRefusal[];
  numbers: NumberDifferences | null;
  fields: FieldAgreement[];
  fields_total: number;
  shapes: AnswerShape[];
  segments: SegmentsFigure | null;
  phases: Phase[];
  tolerance_from: 'request' | 'endpoint' | 'default';
  /**
   * Messages about missing, sampled and redacted data.
   */
  notes: string[];
  /**
   * Record lines that could not be read (torn by a kill).
   */
  skipped_lines: number;
}
/**
 * A figure with its interval; ``n`` is the number of observations.
 */
export interface Estimate {
  value: number;
  interval: Interval;
  n: number;
}
/**
 * The estimate of a share after a number of compared requests; their last cluster began at ``ts``.
 */
export interface Look {
  requests: number;
  ts: string;
  estimate: Estimate;
}
/**
 * One row on which stable and the candidate disagree; ``changes``: fields of it that differ.
 */
export interface Flip {
  pair_id: string;
  request_id: string;
  row: number;
  ts: string;
  input: unknown;
  stable: unknown;
  candidate: unknown;
  changes: FieldChange[];
}
/**
 * A field whose value differs in one row, as JSON; empty: the answer has no such field.
 */
export interface FieldChange {
  field: string;
  stable: string;
  candidate: string;
}
/**
 * One release of a comparison on its own.
 *
 * ``error_rate`` counts answers of 500 and above. Latencies in milliseconds, as measured inside the release.
 * ``answers`` counts the most frequent answers (labels), or holds ``quantiles`` (numbers). ``latencies`` is the whole
 * distribution, in steps of a tenth.
 */
export interface VariantSummary {
  release: string;
  requests: number;
  rows: number;
  errors: number;
  error_rate: Estimate | null;
  latency_p50_ms: number | null;
  latency_p95_ms: number | null;
  latencies: LatencyShare[];
  answers: {
    [k: string]: number;
  };
  quantiles: {
    [k: string]: number;
  };
}
/**
 * The share of a release's answers that took at most ``ms``.
 */
export interface LatencyShare {
  ms: number;
  share: number;
}
/**
 * The requests of one release, predicted class or age: how many there are, and how many have ground truth.
 *
 * The predicted class is the first answer of stable, for a canary of the release that answered. Ages count back from
 * the latest request.
 */
export interface LabelledShare {
  by: 'release' | 'predicted' | 'age';
  value: string;
  labelled: number;
  requests: number;
}
/**
 * The requests until a verdict, if the figures stay as they are.
 *
 * Attributes
 * ----------
 * requests
 *     The number with which there usually is a verdict; None: none up to ten million.
 * more
 *     Those that are still missing.
 * hours
 *     The time until then at the rate of the last 24 hours with requests; None without a rate.
 * effect
 *     The smallest effect that the number could show: how far the agreement is below 99 %, or for a canary how far its
 *     error rate is above stable's. None if nothing is decided.
 * doubt
 *     The condition that ten million requests leave undecided; None if they decide.
 */
export interface Forecast {
  requests: number | null;
  more: number | null;
  hours: number | null;
  effect: number | null;
  doubt:
    ('answers' | 'rows' | 'refusals' | 'errors' | 'coverage' | 'slow answers' | 'clusters') | null;
}
/**
 * A requirement of a comparison and its outcome.
 *
 * ``met``: the whole interval is on the right side; ``not met``: the whole interval is on the wrong side;
 * ``undecided``: neither, or the figure is missing, and ``why`` gives the reason. A count (``pairs``) has no interval:
 * it may still grow.
 */
export interface Requirement {
  expression: string;
  outcome: 'met' | 'not met' | 'undecided';
  value: number | null;
  interval: Interval | null;
  why: string;
}
/**
 * Requests that each release refused, with a status of 400 to 498.
 */
export interface RefusalCounts {
  stable: number;
  candidate: number;
}
/**
 * Candidate minus stable, of answers that are single numbers, in the answers' unit.
 *
 * Attributes
 * ----------
 * rows
 *     Rows in which both answered a number, with a difference below 1e300.
 * mean
 *     The mean over these rows; of floats with heavy tails no interval holds, so it has none.
 * bias
 *     The median of the clusters' mean differences, with an interval that holds for any distribution; None: too few
 *     clusters (6 are needed).
 * spread
 *     Their interquartile range, likewise; None: too few clusters.
 * absolute, relative
 *     Quantiles of ``|candidate - stable|``, and of that divided by the larger of the two absolute values (as
 *     ``Comparison.relative_difference``).
 * within_tolerance
 *     The share of the rows within the tolerance.
 * histogram
 *     The rows by their difference, in at most 32 adjoining bins; the first and the last reach the extremes.
 * pairs
 *     Both answers to at most 500 rows, chosen by a hash of ``pair_id``: the same ones at every look.
 */
export interface NumberDifferences {
  rows: number;
  mean: number;
  bias: Estimate | null;
  spread: Estimate | null;
  absolute: {
    [k: string]: number;
  };
  relative: {
    [k: string]: Estimate;
  };
  within_tolerance: number;
  histogram: Bin[];
  pairs: NumberPair[];
}
/**
 * Both answers to a row; ``agree``: within the tolerance.
 */
export interface NumberPair {
  stable: number;
  candidate: number;
  agree: boolean;
}
/**
 * The agreement on one field of structured answers.
 *
 * Attributes
 * ----------
 * field
 *     Its path, such as ``address.city`` or ``[0]``; empty: the whole answer.
 * aspect
 *     ``value``: a scalar, within the tolerance; ``order``: a list as it is; ``set``: the list's members, whatever
 *     their order; ``argmax``: the position of the largest probability; ``length``: the length of a list.
 * agreement
 *     The share of a request's rows in which the two agree, averaged over the clusters.
 * differ
 *     The rows in which they do not.
 */
export interface FieldAgreement {
  field: string;
  aspect: 'value' | 'order' | 'set' | 'argmax' | 'length';
  agreement: Estimate | null;
  differ: number;
}
/**
 * All segments of a comparison.
 *
 * Attributes
 * ----------
 * declared
 *     The declarations, such as ``region`` or ``age: <30, 30-60, >=60``.
 * declared_at
 *     The time of the declaration: only requests after it count. None: chosen for this look, so nothing is named.
 * segments
 *     At most 50, those with the most rows.
 * worse, differ
 *     E-values of "the candidate is worse in some segment" and of "the two agree on less than 99 % in some segment":
 *     the means of the segments' e-values.
 * least_agreement
 *     The smallest agreement of a segment; its interval holds whichever segment that is. None for a canary.
 * note
 *     The multiplicity of the intervals and names, in words.
 */
export interface SegmentsFigure {
  declared: string[];
  declared_at: string | null;
  segments: SegmentFigure[];
  worse: number;
  differ: number;
  least_agreement: Estimate | null;
  note: string;
}
/**
 * The rows whose input has a value of a column, or one in a bin.
 *
 * Attributes
 * ----------
 * agreement
 *     As of the comparison, on these rows only; None for a canary.
 * error_difference, accuracy_difference
 *     Candidate minus stable, on the requests with such a row; the latter only with feedback.
 * worse, differ
 *     E-values of "the candidate is worse here" and of "the two agree on less than 99 % here".
 * named
 *     What e-BH names at an expected share of 10 % false names.
 */
export interface SegmentFigure {
  column: string;
  value: string;
  rows: number;
  clusters: number;
  agreement: Estimate | null;
  error_difference: Estimate | null;
  accuracy_difference: Estimate | null;
  worse: number;
  differ: number;
  named: ('worse' | 'differs')[];
}
/**
 * The evidence of one role in which the candidate was compared with stable, from ``first`` to ``last`` request.
 */
export interface Phase {
  role: 'shadow' | 'canary';
  paired: boolean;
  first: string;
  last: string;
  requests: number;
  clusters: number;
  pairs: number;
  rows: number;
  agreement: Estimate | null;
  error_difference: Estimate | null;
  latency_difference_ms: Estimate | null;
  verdict: 'inconclusive' | 'agrees' | 'differs';
  reason: string;
  recommendation: 'promote' | 'stop' | 'decide' | 'wait';
}
/**
 * The settings that hold for each comparison which does not name its own.
 */
export interface ComparisonSettings {
  /**
   * Numbers agree within this share of stable's; None: the default.
   */
  tolerance: number | null;
  /**
   * Numbers agree within this difference too, in the answers' unit; None: the default.
   */
  absolute_tolerance: number | null;
  /**
   * Declarations of segments, such as 'region' or 'age: <30, 30-60, >=60'.
   */
  segments: string[];
  /**
   * The time of the declaration: only later requests count for the segments.
   */
  segments_at: string | null;
}
/**
 * A candidate against stable.
 *
 * Attributes
 * ----------
 * recommended
 *     What to do about the verdict, in words.
 * charts
 *     By name: agreement (its course; not of a canary), latency (distributions, once something was answered), scatter
 *     and differences (of numbers), calibration … (of probabilities), segments … (forest plots).
 * flips, flipped
 *     How many rows were answered differently, and the latest 50 of them.
 * notes
 *     What the records do not hold, in words.
 * clusters
 *     Units of the figures: requests of one user, or of equal inputs, count once.
 * forecast
 *     The number of requests and the time until a verdict, in words; empty if no more requests are needed.
 *
 * The fields from ``paired`` on are those of ``domain.evidence.inference.Comparison``.
 */
export interface ComparisonView {
  stable: string;
  candidate: string;
  role: 'stable' | 'canary' | 'shadow' | 'idle';
  verdict: 'inconclusive' | 'agrees' | 'differs';
  reason: string;
  recommended: string;
  pairs: number;
  charts: {
    [k: string]: {
      [k: string]: unknown;
    };
  };
  flipped: FlippedRow[];
  flips: number;
  notes: string[];
  since: string | null;
  clusters: number;
  forecast: string;
  paired: boolean;
  rows: number;
  agreement: Estimate | null;
  coverage: Estimate | null;
  mirrored: number;
  agreement_worst_case: number | null;
  error_difference: Estimate | null;
  latency_difference_ms: Estimate | null;
  slow_rate: Estimate | null;
  refusal_rate: Estimate | null;
  accuracy_difference: Estimate | null;
  absolute_error_difference: Estimate | null;
  recommendation: 'promote' | 'stop' | 'decide' | 'wait';
  sides: {
    [k: string]: VariantSummary;
  };
  answers: AnswerCount[];
  refused: RefusalCounts1;
  refusals: ComparedRefusal[];
  numbers: NumberDifferences | null;
  relative_tolerance: number;
  absolute_tolerance: number;
  tolerance_from: 'request' | 'endpoint' | 'default';
  fields: FieldAgreement[];
  fields_total: number;
  shapes: AnswerShape[];
  segments: SegmentsFigure | null;
  phases: Phase[];
  distinct_inputs: number;
  by_minute: {
    [k: string]: Estimate;
  };
  errors: {
    [k: string]: number;
  };
  shadow_failures: {
    [k: string]: number;
  };
  labelled: LabelledShare[];
  answer_shares: {
    [k: string]: Estimate;
  };
}
/**
 * One instance that both answered, differently; texts are JSON, cut. ``changes``: the fields that differ.
 */
export interface FlippedRow {
  pair_id: string;
  row: number;
  ts: string;
  input: string;
  stable: string;
  candidate: string;
  changes: FieldChange[];
}
/**
 * Requests that each release refused, with a status of 400 to 498.
 */
export interface RefusalCounts1 {
  stable: number;
  candidate: number;
}
/**
 * Write an endpoint as a Compose file: its releases from their published images, and a gateway.
 *
 * podman-compose and docker compose run it anywhere without nbdeploy, with the same shares, shadows, names and
 * records. Each release with traffic must be published. The gateway's image, Envoy on the stable release's base, is
 * built and pushed too.
 *
 * For example: nbdeploy compose churn. Details: docs/how-to/run-an-endpoint-with-compose.md.
 */
export interface ComposeRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The folder, with {name} for the endpoint's name; made if need be.
   */
  output_dir?: string;
  /**
   * The gateway's port on 127.0.0.1.
   */
  port?: number;
  /**
   * HOST/PATH of the gateway's image (default: the destination of the stable release's image).
   */
  push_to?: string | null;
  /**
   * The base of the gateway's image, HOST/PATH@sha256:… (default: the stable release's).
   */
  base?: string | null;
  /**
   * Overwrite project files that were changed or made by others; other files stay in any case.
   */
  overwrite?: boolean;
  /**
   * Show the files; write and send nothing.
   */
  dry_run?: boolean;
}
/**
 * A folder with an endpoint's Compose file; with ``dry_run``, its future content.
 */
export interface Composed {
  endpoint: string;
  revision: number;
  folder: string;
  files: ComposedFile[];
  releases: ComposedService[];
  /**
   * The gateway's image, by its digest.
   */
  gateway: string;
  /**
   * Where clients find it once it runs.
   */
  url: string;
  /**
   * Whether clients must carry a token, which NBDEPLOY_TOKEN names.
   */
  token: boolean;
  dry_run: boolean;
}
export interface ComposedFile {
  /**
   * In the folder.
   */
  path: string;
  state: 'written' | 'would be written' | 'unchanged' | 'kept';
  text: string;
}
/**
 * A release, and the service that runs it.
 */
export interface ComposedService {
  /**
   * The release's tag.
   */
  release: string;
  role: 'stable' | 'canary' | 'shadow' | 'idle';
  percent: number;
  service: string;
  /**
   * Its image, by its digest.
   */
  image: string;
}
/**
 * A feature's contribution to an answer; ``error``: the standard error of the estimate.
 */
export interface Contribution {
  feature: string;
  value: string;
  contribution: number;
  error: number;
}
/**
 * Requests that the gateway counted of a release in its present role; ``rates``: a second, the latest last.
 *
 * ``errors``: answers of 500 and above; ``refused``: of 400 to 499. ``since``: the start of these counts, which is the
 * gateway's start or the change that gave the release this role; None: it is not known. ``recorded``: all recorded
 * requests of the release in this role, of earlier periods too; None: none are recorded, or they are not counted yet.
 */
export interface Counted {
  requests: number;
  errors: number;
  refused: number;
  p50_ms: number | null;
  rates: number[];
  since: string | null;
  recorded: number | null;
}
/**
 * The gateway's counters of a release in its present role, since the gateway started.
 *
 * ``requests`` counts answered predictions (of a shadow: copies), without feedback and metadata; ``errors`` those with
 * status 500 and above, also if the release was not reached; ``refused`` those with a status from 400 to 499;
 * ``p50_ms`` is the median time to an answer of any kind, None before the first. ``since``: the gateway's start.
 */
export interface Counts {
  requests: number;
  errors: number;
  refused: number;
  p50_ms: number | null;
  since: string | null;
}
/**
 * Delete an endpoint permanently, with its history, validations, records and feedback.
 *
 * Its releases stop after their pending requests. Its snapshots and bentos stay until 'nbdeploy gc' removes those that
 * nothing uses; published images stay. The next delete completes one that was killed.
 */
export interface DeleteRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * Show the contents of the endpoint; delete nothing.
   */
  dry_run?: boolean;
  /**
   * Keep records, feedback and the gateway's ledger; a later delete removes them.
   */
  keep_records?: boolean;
  /**
   * Delete without a question.
   */
  yes?: boolean;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored with the name of the deleted endpoint.
   */
  reason?: string;
}
/**
 * A deleted endpoint; with ``dry_run``, its contents.
 *
 * A count of records is None if a damaged file prevents it.
 */
export interface Deleted {
  endpoint: string;
  /**
   * Tags of the releases that stop.
   */
  releases: string[];
  revisions: number;
  validations: number;
  records: number | null;
  feedback: number | null;
  ledger_lines: number | null;
  /**
   * Of records, feedback and the reports of validations.
   */
  bytes: number;
  /**
   * Records, feedback and ledger stay.
   */
  kept_records: boolean;
  /**
   * Those that 'nbdeploy gc' removes.
   */
  snapshots: UnusedSnapshot[];
  /**
   * References of its images, which stay.
   */
  published: string[];
  dry_run: boolean;
}
/**
 * The fields of a deploy from a notebook, as they are typed so far.
 */
export interface DeployProblemsRequest {
  deploy: DeployRequest;
  /**
   * Its file, whose folder's settings apply.
   */
  notebook?: string | null;
}
/**
 * Capture a model, prove it in a clean process, and release it behind an endpoint.
 *
 * The first release of an endpoint becomes stable; a later one starts as a shadow: it gets a copy of every request
 * and its answers go only to the records. An unchanged model is a no-op; a changed one replaces the candidate from
 * the same notebook and variable that is not promoted yet.
 */
export interface DeployRequest {
  /**
   * A notebook (.ipynb, .qmd, .Rmd; it runs headless, then its variable is captured) or a snapshot's tag; in a magic: the variable that holds the model.
   */
  source?: string | null;
  /**
   * The endpoint's name (default: the snapshot's).
   */
  name?: string | null;
  /**
   * The notebook's variable that holds the model.
   */
  model?: string | null;
  /**
   * The method to serve (default: predict if there is one, else the call itself).
   */
  method?: string | null;
  /**
   * An expression for the model's input, such as 'X_test[:5]' (default: rows of the notebook's tables that show missing values, categories and extremes).
   */
  example?: string | null;
  /**
   * The release's role; auto: first stable, later shadow.
   */
  role?: 'auto' | 'stable' | 'shadow' | 'canary';
  /**
   * Share of the requests (default: 100 for a shadow, 10 for a canary).
   */
  percent?: number | null;
  /**
   * Keep the candidate that this release would replace.
   */
  keep?: boolean;
  /**
   * An expression for a pydantic model of one instance (default: inferred from the example and the annotations).
   */
  signature?: string | null;
  /**
   * A column whose value may be null in requests although the example has none (repeatable); the model is called with such a row before it is deployed. Of a stored snapshot it makes another release.
   */
  nullable?: string[];
  /**
   * An expression for features that are looked up by a key, objects of jupyter_deploy.feature_lookup: 'customers' or '[customers, products]'; a request may then bring the key.
   */
  lookup?: string | null;
  /**
   * An expression for the table that the model was fitted on (default: found in the executed cells).
   */
  training?: string | null;
  /**
   * A file or folder to pack although it is outside the project, hidden or large (repeatable).
   */
  include?: string[];
  /**
   * onnx: serve a translation of the model that is proved to answer as the model does, without the model's library; auto: onnx if that can be proved.
   */
  engine?: 'native' | 'onnx' | 'auto';
  /**
   * With --engine onnx or auto: the largest absolute difference of a number or a probability from the model's own that a translation may have (default: the tolerance of the replay). A label never differs.
   */
  accepted_difference?: number | null;
  /**
   * A name for the release, such as 'wider trees'; shown before its tag everywhere.
   */
  label?: string;
  /**
   * Show the example's rows in openapi.json, to every client; else its examples are made from the schema.
   */
  show_example?: boolean;
  /**
   * Warnings of the checks refuse the deploy too.
   */
  strict?: boolean;
  /**
   * Ignore the findings of this check (repeatable); needs a reason, which is stored.
   */
  waive?: string[];
  /**
   * Serve it from its own environment, built from the lock: later installations in the notebook's environment do not affect it.
   */
  isolated?: boolean;
  /**
   * A validation notebook that the release must pass, as must later ones of this endpoint (repeatable; off: remove all; default: the endpoint's own, or those of nbdeploy.yaml).
   */
  validate?: string[];
  /**
   * A condition on the notebooks' metrics (repeatable), such as 'accuracy >= stable - 0.01', or, without --validate, also on the comparison on live traffic, such as 'agreement >= 0.99', before the release answers clients; without --validate it is added to the existing gates.
   */
  gate?: string[];
  /**
   * KEY=VALUE, or two words KEY VALUE, for the notebooks' parameters cells (repeatable).
   */
  parameter?:
    | {
        [k: string]: unknown;
      }
    | string[];
  /**
   * NAME=VALUE (repeatable) of cpu, memory, gpu, workers, threads, idle_after and replicas, such as workers=4 or memory=512MB; any: no limit (default: those of nbdeploy.yaml, else of the endpoint's stable release).
   */
  resources?: {
    [k: string]: number | string | null;
  };
  /**
   * Continue although gates do not hold; needs a reason, which is stored.
   */
  force?: boolean;
  /**
   * Data to record of each request: full, meta (no inputs, outputs and error messages), off.
   */
  record?: ('full' | 'meta' | 'off') | null;
  /**
   * Share of the requests to record, such as 10%; the same requests for stable and shadows.
   */
  record_sample?: number | null;
  /**
   * A column whose values are never stored, neither in records nor in logs (repeatable; off: none; default: the columns of the stable release and of nbdeploy.yaml).
   */
  redact?: string[];
  /**
   * VARIABLE=REFERENCE (repeatable): an environment variable of the model's processes whose value is read at their start: from env:NAME, file:PATH, keyring:NAME (see 'nbdeploy secret'), command:NAME or, in a cluster, k8s:SECRET/KEY; off: none (default: those of nbdeploy.yaml, else of the stable release). The value is in no snapshot, record, log or image.
   */
  secret?: {
    [k: string]: string;
  };
  /**
   * HOST/PATH:TAG or HOST/PATH@sha256:…: run the release from this published image, by podman or docker; SOURCE is its snapshot's tag, or is omitted.
   */
  image?: string | null;
  /**
   * The signer's public key, a file: refuse an image that is not signed by its owner, or that 'nbdeploy verify' does not pass.
   */
  verify?: string | null;
  /**
   * The target that runs the release.
   */
  target?: string;
  /**
   * Unpickle a snapshot from another store, after you have checked its origin.
   */
  trust?: boolean;
  /**
   * JSON, or @FILE: the table that 'candidates' gave for SOURCE. The release keeps it.
   */
  choice?: {} | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
export interface DeployProblemsView {
  problems: FieldProblem[];
}
export interface FieldProblem {
  field: string;
  message: string;
  remedy: string;
  /**
   * A guard's, with its cell.
   */
  finding: {
    [k: string]: unknown;
  } | null;
}
/**
 * A release and its endpoint.
 *
 * ``changed`` is False when the model was deployed already: nothing was started or switched.
 * ``captured`` is the snapshot's manifest; ``replaced`` names the candidate that this release replaced.
 * ``url`` is for programs on this machine, ``public_url`` (a setting) for all others.
 */
export interface Deployment {
  endpoint: string;
  url: string;
  public_url: string | null;
  release: string;
  role: 'stable' | 'canary' | 'shadow' | 'idle';
  percent: number;
  snapshot: string;
  revision: number;
  changed: boolean;
  replaced: string | null;
  captured: Manifest;
  /**
   * Changes from the release that was stable at its deploy.
   */
  changes: Changes | null;
  /**
   * The outcome of its validation; None: it had none.
   */
  validation: Validated | null;
  /**
   * The endpoint's validations of releases.
   */
  validations: ValidationSpecOutput[];
  /**
   * The former validations, in words; empty: no change.
   */
  asked_before: string;
  /**
   * Postponed validations of this release, with reasons.
   */
  waiting: string[];
  /**
   * The nbdeploy.yaml that was ignored, since the endpoint has other validations.
   */
  passed_over: string;
  /**
   * The limits on its resources, one line each.
   */
  limits: string[];
  /**
   * HOST/PATH@sha256:… of the image of the release.
   */
  image: string | null;
  /**
   * Columns whose values are never stored.
   */
  redact: string[];
  /**
   * References to its secrets, by variable.
   */
  secrets: {
    [k: string]: string;
  };
  /**
   * A command line that sends the example to the endpoint.
   */
  curl: string;
}
/**
 * A snapshot's metadata and the SHA-256 of each of its files: ``snapshot.json``.
 *
 * ``findings``, and the parts of ``provenance`` that differ from user to user, are in ``capture.json`` next to it.
 */
export interface Manifest {
  format: 1;
  name: string;
  /**
   * The method for predictions; None: the object itself is called.
   */
  method: string | null;
  /**
   * The object's class, such as sklearn.pipeline.Pipeline.
   */
  kind: string;
  framework: string;
  signature: Signature;
  /**
   * The example, as the instances of a request.
   */
  instances: unknown[];
  /**
   * The notebook's own answers to the example, as in a response.
   */
  predictions: unknown[];
  /**
   * Two calls with the same input give different answers.
   */
  stochastic: boolean;
  /**
   * Rows of several requests in one call get the same answers as in separate calls.
   */
  batchable: boolean;
  tolerance: Tolerance;
  environment: Environment;
  provenance: Provenance;
  /**
   * SHA-256 over the example's canonical JSON.
   */
  data_fingerprint: string;
  /**
   * Names of the columns at the fit.
   */
  features: string[] | null;
  /**
   * The model's constructor parameters by name.
   */
  hyperparameters: {
    [k: string]: unknown;
  };
  /**
   * The notebook's own metrics by the name of the variable.
   */
  metrics: {
    [k: string]: number;
  };
  /**
   * The training table, if it is known.
   */
  training: TrainingData | null;
  /**
   * The proof of the translation that is served; None: the captured object is served.
   */
  translation: Translation | null;
  /**
   * Remarks for readers: switched modes, packed code.
   */
  notes: string[];
  /**
   * The checks' findings, also the waived ones.
   */
  findings: Finding[];
  /**
   * Set if the files include data files.
   */
  packed: Packed | null;
  /**
   * Features that are looked up by a key.
   */
  lookups: Lookup[];
  /**
   * The service's description shows the example's rows.
   */
  show_example: boolean;
  /**
   * Format of each file of the model.
   */
  formats: {
    [k: string]: string;
  };
  /**
   * Path within the snapshot -> SHA-256 of the file's bytes.
   */
  files: {
    [k: string]: string;
  };
}
/**
 * The conversion of requests to the model's arguments, and of its result to predictions.
 *
 * Attributes
 * ----------
 * container
 *     The type of the model's input. ``frame`` (pandas, polars), ``array`` (numpy), ``tensor`` (torch) and ``list``
 *     (rows or texts) take a whole batch, an instance being one row; with ``call`` one instance is one call.
 * parameters
 *     The function's parameter names (``call`` only). With a single parameter, the instance is its value.
 * instance_schema, answer_schema
 *     JSON Schema of one instance and of one answer.
 * answer_dtype
 *     NumPy's name of the answers' type (``int64``, ``float32``, ``str``, …); it selects the tolerance of a replay.
 */
export interface Signature {
  container: 'frame' | 'array' | 'tensor' | 'list' | 'call';
  parameters: string[];
  instance_schema: {
    [k: string]: unknown;
  };
  answer_schema: {
    [k: string]: unknown;
  };
  answer_dtype: string;
}
/**
 * The tolerance of floating-point answers (labels and integers must be equal).
 */
export interface Tolerance {
  float32_rtol: number;
  float32_atol: number;
  float64_rtol: number;
  float64_atol: number;
}
/**
 * The interpreter and the exact versions of all distributions that the model needs.
 */
export interface Environment {
  /**
   * Absolute path of the interpreter that ran the notebook.
   */
  interpreter: string;
  /**
   * Full version, such as 3.11.7.
   */
  python: string;
  /**
   * sysconfig's platform tag, such as linux-x86_64.
   */
  platform: string;
  /**
   * Distribution name -> installed version.
   */
  distributions: {
    [k: string]: string;
  };
  /**
   * The distributions by which a translation is served without BentoML; empty: it needs all.
   */
  without_bentoml: string[];
}
/**
 * The notebook behind a snapshot at the time of capture.
 *
 * ``user``, ``captured_at``, ``distributions``, ``source.notebook``, ``git.dirty`` and ``example`` say who captured
 * it, when, where and how. They are no part of the snapshot's digest, so that captures of the same model by several
 * users have one.
 */
export interface Provenance {
  source: Source;
  /**
   * The language of the cells.
   */
  language: string;
  /**
   * The notebook's path in its repository; without a repository its file name.
   */
  path: string | null;
  /**
   * The project's license, an SPDX expression of pyproject.toml.
   */
  license: string | null;
  notebook_sha256: string | null;
  /**
   * Source of the executed cells, in order of execution.
   */
  cells: string[];
  git: Git | null;
  /**
   * Exact versions of the loaded distributions, the kernel's, and their requirements.
   */
  distributions: {
    [k: string]: string;
  };
  user: string;
  captured_at: string;
  /**
   * The example's expression; None: it was given as an object.
   */
  example: string | null;
  /**
   * Columns of 'deploy --nullable'.
   */
  nullable: string[];
  /**
   * References to the model's secrets, such as env:PROD_DB, by variable; no values.
   */
  secrets: {
    [k: string]: string;
  };
  /**
   * Whether the last cell deployed the model; false after a click outside the cells.
   */
  in_cell: boolean;
}
/**
 * The origin of a model: the identity by which a re-run cell replaces its own candidate.
 */
export interface Source {
  notebook: string | null;
  variable: string | null;
}
/**
 * The commit of the notebook's repository.
 *
 * Attributes
 * ----------
 * dirty
 *     Whether there were uncommitted changes at the capture.
 * source
 *     The repository's URL (of the remote *origin*), without credentials.
 */
export interface Git {
  commit: string;
  dirty: boolean;
  source: string | null;
}
/**
 * The training table of a model.
 */
export interface TrainingData {
  /**
   * The table's expression in the notebook.
   */
  expression: string | null;
  rows: number;
  /**
   * The number of columns; a wide table describes only the first of them.
   */
  width: number;
  columns: {
    [k: string]: Column;
  };
  /**
   * SHA-256 over the rows in order and the columns' names.
   */
  sha256: string;
  /**
   * The number of evenly spread rows behind hash and columns; a large table is sampled.
   */
  hashed_rows: number;
  /**
   * Periods of the date columns, of this table and of the tables behind it.
   */
  periods: {
    [k: string]: JupyterDeploy_Domain_Capture_Training__Period;
  };
  /**
   * Path -> source file.
   */
  files: {
    [k: string]: SourceFile;
  };
  /**
   * Queries of databases, the last one first.
   */
  queries: SourceQuery[];
}
/**
 * The first and the last moment of a column of dates as ISO 8601.
 */
export interface JupyterDeploy_Domain_Capture_Training__Period {
  first: string;
  last: string;
}
/**
 * A source file of the table, as it was on disk at capture.
 */
export interface SourceFile {
  /**
   * Bytes.
   */
  size: number;
  modified: string;
  /**
   * None: too large to be hashed.
   */
  sha256: string | null;
}
/**
 * A query of a database by which the table, or one behind it, was read.
 */
export interface SourceQuery {
  /**
   * The query with its secrets masked.
   */
  text: string;
  /**
   * Rows of the table that it gave; None: not known.
   */
  rows: number | null;
  /**
   * The start of the cell that ran it; None: not known.
   */
  at: string | null;
}
/**
 * A translation that was proved; a release without one runs the captured object itself.
 *
 * ``rows`` are counted by their origin: ``example``, ``training`` (a sample), ``random`` (within the seen ranges),
 * ``threshold`` (values at which a tree decides, and their neighbours in 32 and 64 bits), ``category`` (each text of
 * a column, and unseen ones), for models of R ``missing`` (a missing number in each column) and ``beyond`` (far
 * outside of the seen ranges).
 */
export interface Translation {
  engine: 'onnx';
  /**
   * Name and version of the library that translated it.
   */
  converter: string;
  rows: {
    [k: string]: number;
  };
  /**
   * Of two numbers, in the answers' unit, not beyond the seen ranges; 0 for labels.
   */
  largest_difference: number;
  largest_relative_difference: number;
  /**
   * Rows with another label, or another most likely class.
   */
  flips: number;
  /**
   * Only pandas can make the tables that the model takes.
   */
  needs_pandas: boolean;
  /**
   * The absolute difference that the deploy accepted, in the answers' unit; 0: the answers are equal within the tolerance of the replay.
   */
  accepted_difference: number;
  /**
   * Share of flips that rows like these have at most, at 95 %.
   */
  flips_at_most: number;
}
/**
 * A finding of one check: shown (``note``, ``warning``) or refused (``error``; with ``--strict`` a warning too).
 */
export interface Finding {
  check: string;
  severity: 'note' | 'warning' | 'error';
  /**
   * The problem and its location, in plain words.
   */
  message: string;
  remedy: string;
  /**
   * Execution count of the cell behind the finding, as in In [7].
   */
  cell: number | null;
  /**
   * The columns concerned.
   */
  columns: string[];
  /**
   * The reason for waiving the finding.
   */
  waived: string | null;
}
/**
 * The destinations of a snapshot's packed data files when it is served, relative to the notebook's project.
 */
export interface Packed {
  /**
   * The model's working directory at capture.
   */
  folder: string;
  /**
   * Absolute paths of the notebook's machine -> path of the packed copy.
   */
  absolute: {
    [k: string]: string;
  };
}
/**
 * Features of a request that may be replaced by a key.
 */
export interface Lookup {
  /**
   * The name of the key in a request.
   */
  key: string;
  /**
   * JSON Schema of a key.
   */
  key_schema: {
    [k: string]: unknown;
  };
  /**
   * The names of the features that are looked up.
   */
  features: string[];
  /**
   * The keys of the example's first rows; none: they were not compared with a lookup.
   */
  keys: unknown[];
}
/**
 * A validation that each release of an endpoint has to pass.
 *
 * ``notebook`` None: gates on the comparison of live traffic alone. ``traffic``: the amount of recorded traffic for
 * the notebook, such as ``1h``.
 */
export interface ValidationSpecOutput {
  notebook: string | null;
  parameters: {
    [k: string]: unknown;
  };
  /**
   * One run for each combination of these values of parameters.
   */
  matrix:
    | {
        [k: string]: unknown[];
      }
    | string[];
  gates: string[];
  traffic: string | null;
}
/**
 * One endpoint: its URL, releases, roles, health and revision.
 */
export interface DescribeRequest {
  /**
   * The endpoint's name.
   */
  name: string;
}
/**
 * All checks, those that need attention first.
 */
export interface Diagnosis {
  checks: HealthCheck[];
}
/**
 * The state of one part.
 *
 * ``warning``: it works, and will not for long or not wholly. ``mended``: it was broken before ``--mend``.
 */
export interface HealthCheck {
  part: string;
  state: 'ok' | 'warning' | 'error';
  message: string;
  remedy: string;
  mended: boolean;
}
/**
 * Show the changes between two models: cells, code, hyperparameters, features, data, versions, answers.
 *
 * A and B are snapshots' tags (NAME:VERSION; the beginning of the version is enough) or an endpoint's name, which
 * means its stable release. An endpoint's name alone compares its candidate with stable; a tag alone compares it with
 * its predecessor, the stable release at its deploy.
 */
export interface DiffRequest {
  /**
   * A tag, or an endpoint's name: the model before; without B, the model to inspect.
   */
  a: string;
  /**
   * A tag, a version of A's name, or an endpoint's name: the model after.
   */
  b?: string | null;
}
/**
 * The changes from snapshot ``a`` to snapshot ``b`` by subject; an unchanged subject is empty.
 */
export interface Difference {
  a: string;
  b: string;
  /**
   * A summary of all changes.
   */
  words: string[];
  /**
   * Class, method, notebook, commit.
   */
  model: Change[];
  /**
   * Columns by name: added, removed, or with a different type.
   */
  features: Change[];
  hyperparameters: Change[];
  /**
   * The training data's size, ranges, hash and files.
   */
  training: Change[];
  /**
   * The notebook's own metrics.
   */
  metrics: Change[];
  /**
   * Python and distributions, by exact version.
   */
  dependencies: Change[];
  /**
   * Differences of the JSON Schemas of instances and answers.
   */
  signature: Change[];
  /**
   * Reasons why b (the candidate) cannot replace a (stable).
   */
  breaks: string[];
  /**
   * The executed cells behind the model.
   */
  cells: SourceChange[];
  /**
   * The project's own modules.
   */
  code: SourceChange[];
  answers: Answers;
}
/**
 * A cell or a file that was added, removed or changed.
 */
export interface SourceChange {
  /**
   * In [3] -> In [5], or a path within the project.
   */
  name: string;
  kind: 'added' | 'removed' | 'changed';
  /**
   * Lines.
   */
  added: number;
  /**
   * Lines.
   */
  removed: number;
  /**
   * Hunks as in diff -u, each with its @@ line; values under a secret's name are masked.
   */
  hunks: string[];
  /**
   * The reason for missing lines.
   */
  note: string;
}
/**
 * Check nbdeploy's own parts: disk, clock, store, records, supervisor, gateway, releases.
 *
 * The exit code is 1 while something is broken, else 0. 'doctor --mend' restarts what should run and closes folders
 * to other users; it deletes nothing.
 */
export interface DoctorRequest {
  /**
   * Only this part: machine (disk, permissions, clock), programs (supervisor, archivist, gateway), records, store or endpoints (repeatable; default: all).
   */
  part?: ('machine' | 'programs' | 'records' | 'store' | 'endpoints')[];
  /**
   * Mend what can be mended without loss, and check again.
   */
  mend?: boolean;
}
/**
 * Stop all processes: workers, gateway and supervisor. 'nbdeploy reconcile' starts them again.
 *
 * A target that several users share is stopped only if it is named: then every object of nbdeploy there is removed,
 * with the endpoints' revisions, also those of other users, except what its administrator made; 'reconcile' cannot
 * bring them back.
 */
export interface DownRequest {
  /**
   * The target to stop (default: this machine's).
   */
  target?: string | null;
}
/**
 * A chart for a front end without a renderer of its own.
 */
export interface DrawingRequest {
  /**
   * A Vega-Lite specification with its width.
   */
  spec: {
    [k: string]: unknown;
  };
  /**
   * Draw for a dark background.
   */
  dark?: boolean;
}
/**
 * A chart as SVG, without scripts.
 */
export interface DrawingView {
  svg: string;
}
/**
 * The drift of a release.
 *
 * Attributes
 * ----------
 * state
 *     ``collecting``: the first requests become the reference; ``none``: there are no requests to look at.
 * origin
 *     The origin of the reference of inputs and of answers.
 * hours
 *     Each day is compared with the reference's rows of the same hours (UTC), at its end; None: all requests with all
 *     rows, since the reference's rows have no times. ``days``: the days that are over.
 * false_alarms
 *     The probability of a false alarm in a run of any length.
 * tolerance
 *     The largest difference, in standard deviations of a normal feature, that no feature is reported for.
 * expected
 *     The accuracy, estimated by the probabilities of the answers of the last day, or since the moment; None: the
 *     answers are no probabilities.
 * joint
 *     The same requests against the first recorded ones, by all inputs together; None: there are too few of either.
 */
export interface Drift {
  endpoint: string;
  release: string;
  since: string | null;
  state: 'watching' | 'collecting' | 'none';
  origin: {
    [k: string]: string;
  };
  hours: ('hour of the week' | 'hour of the day') | null;
  days: number;
  reference_rows: number;
  requests: number;
  rows: number;
  clusters: number;
  first: string | null;
  last: string | null;
  false_alarms: number;
  tolerance: number | null;
  evidence: number;
  drift_alarms: number;
  quality_alarms: number;
  alarms: DriftAlarm[];
  features: FeatureDrift[];
  quality: QualityAlarm[];
  requirements: Requirement[];
  expected: ExpectedPeriod | null;
  joint: JointShift | null;
  notes: string[];
}
/**
 * The request at which the evidence sufficed, with the features that had at least a tenth of it.
 */
export interface DriftAlarm {
  ts: string;
  request_id: string;
  /**
   * Clusters of requests since the features' last alarm, or since the release began.
   */
  units: number;
  evidence: number;
  features: DriftedFeature[];
}
/**
 * A feature's part in an alarm.
 *
 * Attributes
 * ----------
 * evidence
 *     Its e-value; ``alone``: it suffices for the alarm.
 * since
 *     The begin of the requests with the most evidence; ``since_request``: the first of them.
 * shares
 *     Shares of the values since then, by bin.
 */
export interface DriftedFeature {
  name: string;
  evidence: number;
  alone: boolean;
  since: string;
  since_request: string;
  shares: number[];
}
/**
 * One feature now against the reference.
 *
 * Attributes
 * ----------
 * evidence
 *     The e-value of the present run: ``1 / 0.008`` of all features together raises an alarm.
 * bins, reference, now
 *     Names of the bins, and the shares of the reference and of the last 1,000 to 2,000 clusters.
 * psi, jensen_shannon
 *     Sizes without a scale of good and bad: the population stability index, and the Jensen-Shannon divergence (bits).
 */
export interface FeatureDrift {
  name: string;
  group: 'inputs' | 'answers';
  alarms: number;
  evidence: number;
  reference_rows: number;
  /**
   * Clusters behind 'now'.
   */
  clusters: number;
  bins: string[];
  reference: number[];
  now: number[];
  psi: number | null;
  jensen_shannon: number | null;
}
/**
 * Rows (requests, for refusals) that the reference has rarely or never; ``shown``: certainly more of them.
 *
 * Attributes
 * ----------
 * what
 *     ``new`` category, ``missing`` value, ``out of range``, ``constant``, ``refused``.
 * share, reference
 *     The share of clusters with it, and the reference's share.
 */
export interface QualityAlarm {
  feature: string;
  what: 'new' | 'missing' | 'out of range' | 'constant' | 'refused';
  count: number;
  share: number;
  reference: number | null;
  first_request: string;
  first: string;
  shown: boolean;
}
/**
 * The estimated accuracy of a release in a span of time.
 *
 * ``calibrated``: earlier rows with ground truth that the probabilities are calibrated on; 0: they are taken as they
 * are. ``sampled``: it is that of a sample of the answers.
 */
export interface ExpectedPeriod {
  start: string;
  release: string;
  rows: number;
  accuracy: number;
  calibrated: number;
  sampled: boolean;
}
/**
 * A classifier between the first recorded requests and those of a range, by all features together.
 *
 * Attributes
 * ----------
 * auc
 *     The area under its curve, out of fold: 0.5 if it cannot tell them apart, 1 if it always can. No test.
 * rows, first_rows
 *     Requests of the range, a sample of more, and first requests, up to ``first_until``.
 */
export interface JointShift {
  auc: number;
  since: string;
  until: string;
  rows: number;
  first_rows: number;
  first_until: string;
}
/**
 * Show the drift of a release's inputs and answers against its training data.
 */
export interface DriftRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * Only requests of the last 90s, 15m, 1h, 7d, … or since 2026-11-25T12:00: a look of its own at them; without it the watch since the release began.
   */
  since?: string | null;
  /**
   * The release (default: stable).
   */
  release?: string | null;
  /**
   * A condition such as 'drift_alarms <= 0' or 'quality_alarms <= 0' (repeatable); the exit code is 0 if all are met, 1 if one is not, 4 while one is undecided.
   */
  require?: string[];
}
/**
 * A name that clients call.
 *
 * ``revision`` grows by one with every change. ``idle_since`` has the revision at which a release lost its last
 * traffic: it is kept warm for a few revisions and then stopped. ``running`` False: stopped on purpose.
 */
export interface Endpoint {
  name: string;
  target: string;
  revision: number;
  running: boolean;
  releases: Release[];
  traffic: Traffic;
  record: 'full' | 'meta' | 'off';
  /**
   * Of so many of the requests, chosen by a hash of pair_id.
   */
  record_sample: number;
  comparison: ComparisonSettings1;
  /**
   * What must hold of a release before it comes, and before it answers clients.
   */
  validations: ValidationSpecOutput[];
  /**
   * The nbdeploy.yaml that they stand in; empty: a deploy's options named them.
   */
  validations_from: string;
  idle_since: {
    [k: string]: number;
  };
  /**
   * The revision that a rollback made this one from.
   */
  restored: number | null;
  /**
   * The latest ramp; None: there was none.
   */
  ramp: RampState | null;
  /**
   * The messages that it answers; None: none.
   */
  stream: StreamSpecOutput | null;
  /**
   * The files that it scores by a schedule; None: none.
   */
  batch: BatchSpecOutput | null;
}
/**
 * One bento behind an endpoint.
 *
 * A target starts it by ``interpreter`` and ``path``, and verifies it by ``digest``.
 */
export interface Release {
  endpoint: string;
  tag: string;
  /**
   * The snapshot's digest; verified before anything is unpickled.
   */
  digest: string;
  /**
   * The bento's folder in the bento store; empty: it runs from an image.
   */
  path: string;
  /**
   * SHA-256 of the bento's code as it was built; empty: it is not known.
   */
  code: string;
  /**
   * The snapshot's folder in the model store.
   */
  snapshot_path: string;
  interpreter: string;
  source: Source;
  framework: string;
  stochastic: boolean;
  /**
   * None: it is the endpoint's first release.
   */
  changes: Changes | null;
  /**
   * Of the checks at its deploy, and their waivers.
   */
  findings: Finding[];
  /**
   * None: it was never validated.
   */
  validation: Validated | null;
  /**
   * Columns whose values are never written down.
   */
  redact: string[];
  /**
   * References to secrets, such as env:PROD_DB, by variable.
   */
  secrets: {
    [k: string]: string;
  };
  resources: Resources;
  /**
   * HOST/PATH@sha256:… of the image that it runs from; None: from the bento.
   */
  image: string | null;
  /**
   * Whether its image has pyarrow, by which batches read files.
   */
  pyarrow: boolean;
  /**
   * A person's name for it; empty: none.
   */
  label: string;
  choice: Choice | null;
  created_at: string;
}
/**
 * A release's resources; None: any, or the usual number of workers and threads.
 */
export interface Resources {
  /**
   * Processors, such as 2 or 0.5, for all its workers.
   */
  cpu: number | null;
  /**
   * Memory for all its workers together, such as 512MB or 2GiB.
   */
  memory: number | null;
  /**
   * Devices as CUDA counts them, such as 0 or 0,1; none: no device.
   */
  gpu: string | null;
  /**
   * Processes, which share the loaded model's memory (default: 1); 1-8: as many as the load needs.
   */
  workers: number | string | null;
  /**
   * Threads of a worker's numerical libraries (default: cpu / workers).
   */
  threads: number | null;
  /**
   * Seconds, or a text such as 30m, without a request after which its workers stop until the next one (default: never).
   */
  idle_after: number | null;
  /**
   * Pods in a cluster (default: the cluster's setting); 2-20: as many as the load needs; 0-20: none while there are no requests.
   */
  replicas: number | string | null;
}
/**
 * The roles of releases: one stable release, at most one canary, any number of shadows.
 *
 * ``canary_percent`` of the requests go to the canary, the rest to stable. Each shadow gets a copy of its
 * percentage of the requests; its answers go only to the records.
 */
export interface Traffic {
  stable: string;
  canary: string | null;
  canary_percent: number;
  shadows: {
    [k: string]: number;
  };
}
/**
 * The settings that hold for each comparison which does not name its own.
 */
export interface ComparisonSettings1 {
  /**
   * Numbers agree within this share of stable's; None: the default.
   */
  tolerance: number | null;
  /**
   * Numbers agree within this difference too, in the answers' unit; None: the default.
   */
  absolute_tolerance: number | null;
  /**
   * Declarations of segments, such as 'region' or 'age: <30, 30-60, >=60'.
   */
  segments: string[];
  /**
   * The time of the declaration: only later requests count for the segments.
   */
  segments_at: string | null;
}
/**
 * The state of a ramp.
 *
 * Attributes
 * ----------
 * candidate
 *     The tag of the release that is ramped.
 * step
 *     The position in ``plan.steps``; -1 as a shadow.
 * began, since
 *     The times at which the ramp and its current step began.
 * resumed
 *     The phase that a paused ramp resumes.
 * reason
 *     The reason of the last decision.
 * gates
 *     The digest of the gates that the candidate passed as the ramp began or was resumed, where its driver has no
 *     notebooks (``verbs/gates/ramp_gates.py``); empty: there are none, or the driver runs them.
 */
export interface RampState {
  plan: RampPlan;
  candidate: string;
  phase: 'shadow' | 'running' | 'paused' | 'finished' | 'rolled back' | 'aborted' | 'superseded';
  step: number;
  began: string;
  since: string;
  resumed: 'shadow' | 'running' | 'paused' | 'finished' | 'rolled back' | 'aborted' | 'superseded';
  reason: string;
  gates: string;
}
/**
 * The plan of a ramp.
 *
 * Attributes
 * ----------
 * steps
 *     The candidate's percentages, rising. 100 is no comparison: to reach it is to promote.
 * require
 *     Requirements (``agreement >= 0.99``) that must be met before a step ends.
 * per_step
 *     The least duration of a step.
 * shadow_first
 *     The candidate begins as a shadow and answers clients once it is shown to agree with stable.
 * segments
 *     The endpoint's declarations of segments as the ramp began. That the candidate is worse in one of them is a
 *     guardrail; as a shadow also that its answers differ there.
 */
export interface RampPlan {
  /**
   * @minItems 1
   */
  steps: number[];
  require: string[];
  per_step: string;
  shadow_first: boolean;
  segments: string[];
}
/**
 * The stream of an endpoint: what is read, and where the answers go; a part of its document too.
 */
export interface StreamSpecOutput {
  /**
   * Messages to answer: nats://HOST:PORT/SUBJECT (JetStream), redis://HOST:PORT/STREAM, amqp://HOST:PORT/QUEUE (RabbitMQ), kafka://HOST:PORT/TOPIC or mqtt://HOST:PORT/TOPIC.
   */
  source: string;
  /**
   * Place of the answers, with the source's form.
   */
  sink: string;
  /**
   * Place of the messages that cannot be answered, with the reason (default: the sink's with .dead at its end).
   */
  dead_letters: string;
  /**
   * Where the first start begins: with the next message, or with the first one that the broker has. Later starts go on where the last one ended.
   */
  begin: 'next' | 'first';
  /**
   * Failures of the model on a message until it is given up.
   */
  attempts: number;
  /**
   * A file whose one line is USER:PASSWORD for the broker.
   */
  credentials: string;
}
/**
 * The changes from an endpoint to its document, planned or made.
 *
 * ``revision`` is the endpoint's at the end of the changes that were made; 0: there is no endpoint yet.
 */
export interface EndpointPlan {
  endpoint: string;
  revision: number;
  changes: PlannedChange[];
  /**
   * Of a plan for a cluster: what its objects become, by the server's dry run.
   */
  objects: ObjectChange[];
  applied: boolean;
  /**
   * None: nothing was applied, or the endpoint is stopped.
   */
  url: string | null;
}
/**
 * One change in words, and the command that makes it alone; empty: there is no such command.
 */
export interface PlannedChange {
  change: string;
  command: string;
}
/**
 * What a start would do to one object of a cluster.
 *
 * Attributes
 * ----------
 * difference
 *     Lines of the object as YAML, now (``-``) and afterwards (``+``), by the server's dry run; empty unless changed.
 */
export interface ObjectChange {
  object: string;
  action: 'create' | 'change' | 'delete';
  difference: string[];
}
/**
 * One endpoint.
 */
export interface EndpointRequest {
  /**
   * The endpoint's name.
   */
  name: string;
}
/**
 * One endpoint in the list.
 *
 * Attributes
 * ----------
 * url
 *     What clients post to.
 * rate
 *     Answered requests a second between the last two looks; None before there were two, or without a gateway.
 * changed_at
 *     When it came to this revision.
 */
export interface EndpointRow {
  name: string;
  url: string;
  revision: number;
  running: boolean;
  healthy: boolean;
  words: string;
  stable: string;
  candidates: number;
  rate: number | null;
  changed_at: string | null;
}
/**
 * Desired and observed state of an endpoint; ``gateway``: whether the gateway listens at the URL.
 *
 * ``url`` is for programs on this machine, ``public_url`` (a setting) for all others.
 */
export interface EndpointStatus {
  name: string;
  target: string;
  url: string;
  public_url: string | null;
  revision: number;
  running: boolean;
  gateway: boolean;
  /**
   * How many of several gateways have the routes in force; empty: all.
   */
  gateways: string;
  traffic: Traffic;
  record: 'full' | 'meta' | 'off';
  record_sample: number;
  comparison: ComparisonSettings2;
  validations: ValidationSpecOutput[];
  /**
   * Purged or cleared away, ever.
   */
  removed_records: number;
  /**
   * Of 'describe': requests refused in the last 24 hours by reason, most frequent first.
   */
  refusals: Refusal[];
  /**
   * The latest ramp; None: there was none.
   */
  ramp: RampStatus | null;
  /**
   * None: the endpoint answers no stream.
   */
  stream: StreamStatus | null;
  /**
   * None: the endpoint scores no files by a schedule.
   */
  batch: BatchStatus | null;
  releases: ReleaseStatus[];
}
/**
 * The settings that hold for each comparison which does not name its own.
 */
export interface ComparisonSettings2 {
  /**
   * Numbers agree within this share of stable's; None: the default.
   */
  tolerance: number | null;
  /**
   * Numbers agree within this difference too, in the answers' unit; None: the default.
   */
  absolute_tolerance: number | null;
  /**
   * Declarations of segments, such as 'region' or 'age: <30, 30-60, >=60'.
   */
  segments: string[];
  /**
   * The time of the declaration: only later requests count for the segments.
   */
  segments_at: string | null;
}
/**
 * Requests that a release refused (status 400 to 498) for the same reason.
 *
 * ``reason`` names the column and the violation, without the number of the row; empty: no message is recorded.
 * ``shadows`` counts those of them that a shadow answered with 200.
 */
export interface Refusal {
  release: string;
  role: string;
  status: number;
  reason: string;
  requests: number;
  shadows: number;
}
/**
 * The status of an endpoint's latest ramp.
 */
export interface RampStatus {
  endpoint: string;
  revision: number;
  candidate: string;
  phase: 'shadow' | 'running' | 'paused' | 'finished' | 'rolled back' | 'aborted' | 'superseded';
  /**
   * From 1; 0: as a shadow.
   */
  step: number;
  steps: number[];
  /**
   * The candidate's percentage of the clients' requests.
   */
  percent: number;
  per_step: string;
  require: string[];
  began: string;
  /**
   * The begin of the step, or the end of the ramp.
   */
  since: string;
  /**
   * The duration of the step so far; of an ended ramp 0.
   */
  seconds: number;
  /**
   * Why it holds, or why it ended.
   */
  reason: string;
  /**
   * The driver's latest look at the evidence; None: not yet in this step.
   */
  looked: string | null;
  /**
   * The evidence of that look.
   */
  evidence: string[];
  /**
   * The open conditions by name.
   */
  waits_for: string[];
}
/**
 * Desired and observed state of an endpoint's stream; ``spec`` None: it has none.
 */
export interface StreamStatus {
  endpoint: string;
  revision: number;
  /**
   * Whether the endpoint runs; a stopped endpoint answers no stream.
   */
  running: boolean;
  spec: StreamSpecOutput | null;
  state: StreamState | null;
}
/**
 * The state of a stream's worker; the counts are those since its start.
 *
 * Attributes
 * ----------
 * problem
 *     Why it answers nothing now, in words; empty: it can.
 * lag
 *     Messages in the source that are not acknowledged yet; None: unknown.
 * open
 *     Messages that were read and are not acknowledged yet.
 * retried
 *     Attempts after a failure.
 * repeated
 *     Messages that the broker delivered again.
 */
export interface StreamState {
  running: boolean;
  problem: string;
  lag: number | null;
  open: number;
  answered: number;
  dead_lettered: number;
  retried: number;
  repeated: number;
  since: string | null;
}
export interface ReleaseStatus {
  tag: string;
  label: string;
  role: 'stable' | 'canary' | 'shadow' | 'idle';
  percent: number;
  healthy: boolean;
  framework: string;
  stochastic: boolean;
  source: Source1;
  changes: Changes | null;
  detail: string;
  findings: Finding[];
  validation: Validated | null;
  redact: string[];
  /**
   * References to its secrets, by variable.
   */
  secrets: {
    [k: string]: string;
  };
  /**
   * HOST/PATH@sha256:… of the image that it runs from.
   */
  image: string | null;
  resources: Resources1;
  /**
   * How its resources are enforced.
   */
  limits: string[];
  /**
   * On a cluster, how many of its pods are ready.
   */
  pods: string;
  /**
   * The choice among models that led to it, if it is known.
   */
  choice: Choice | null;
  /**
   * None: there is no gateway, or it sends nothing here.
   */
  counts: Counts | null;
  created_at: string;
}
/**
 * The origin of a model: the identity by which a re-run cell replaces its own candidate.
 */
export interface Source1 {
  notebook: string | null;
  variable: string | null;
}
/**
 * A release's resources; None: any, or the usual number of workers and threads.
 */
export interface Resources1 {
  /**
   * Processors, such as 2 or 0.5, for all its workers.
   */
  cpu: number | null;
  /**
   * Memory for all its workers together, such as 512MB or 2GiB.
   */
  memory: number | null;
  /**
   * Devices as CUDA counts them, such as 0 or 0,1; none: no device.
   */
  gpu: string | null;
  /**
   * Processes, which share the loaded model's memory (default: 1); 1-8: as many as the load needs.
   */
  workers: number | string | null;
  /**
   * Threads of a worker's numerical libraries (default: cpu / workers).
   */
  threads: number | null;
  /**
   * Seconds, or a text such as 30m, without a request after which its workers stop until the next one (default: never).
   */
  idle_after: number | null;
  /**
   * Pods in a cluster (default: the cluster's setting); 2-20: as many as the load needs; 0-20: none while there are no requests.
   */
  replicas: number | string | null;
}
/**
 * One endpoint, its desired and its observed state; ``url``: the address for clients, ``words``: its state.
 *
 * ``serve``: how it is called, as its YAML document says; ``ways``: the ways besides HTTP as they are now.
 * ``tolerance``, ``absolute_tolerance`` and ``segments``: the settings of its comparisons; None: the default.
 */
export interface EndpointView {
  name: string;
  target: string;
  url: string;
  revision: number;
  previous: number | null;
  running: boolean;
  healthy: boolean;
  words: string;
  record: string;
  validations: string[];
  cards: ReleaseCard[];
  history: RevisionRow[];
  serve: ServeDocumentOutput;
  ways: WayCard[];
  ramp: RampView | null;
  tolerance: number | null;
  absolute_tolerance: number | null;
  segments: string[];
}
/**
 * One release; ``usage`` is None while no process of it runs here.
 *
 * ``image``: what it runs from, HOST/PATH@sha256:…; empty: a bento. ``published``: references without their digests,
 * the newest first. ``metrics``: the notebook's own, by the variable. ``limits``: how its resources are enforced, such
 * as its replicas, if ``usage`` does not show it.
 */
export interface ReleaseCard {
  tag: string;
  role: 'stable' | 'canary' | 'shadow' | 'idle';
  percent: number;
  healthy: boolean;
  health: string;
  variable: string;
  notebook: string;
  path: string;
  framework: string;
  image: string;
  stochastic: boolean;
  changes: string;
  gates: GatesCard | null;
  found: string;
  findings: string[];
  created: string;
  label: string;
  metrics: {
    [k: string]: number;
  };
  published: string[];
  counts: Counted | null;
  usage: UsageCard | null;
  limits: string[];
}
export interface GatesCard {
  verdict: string;
  words: string;
  lines: string[];
  at: string;
  forced: boolean;
  report: boolean;
}
/**
 * The resources that a release uses, next to its limits (None: no limit).
 *
 * ``cpu``: processors since the last look, None before there were two; ``memory``: bytes; ``workers`` of
 * ``most_workers``; ``waiting``: requests that wait for the model, None: unknown.
 */
export interface UsageCard {
  cpu: number | null;
  most_cpu: number | null;
  memory: number;
  most_memory: number | null;
  workers: number;
  most_workers: string;
  waiting: number | null;
}
/**
 * One revision of an endpoint.
 *
 * ``diffs``: what it brought or made stable, each with the release that was stable before. ``state``: the releases
 * with traffic and their shares, in words.
 */
export interface RevisionRow {
  revision: number;
  at: string;
  by: string;
  what: string;
  reason: string;
  diffs: Models[];
  state: string;
}
/**
 * Two releases of which ``diff`` can tell what changed from ``a`` to ``b``.
 */
export interface Models {
  a: string;
  b: string;
}
/**
 * The ways in which an endpoint is called; one that is left out, but HTTP, ends.
 */
export interface ServeDocumentOutput {
  http: HttpDocument1;
  /**
   * The files that it scores by a schedule; null: none. Paths are relative to the file.
   */
  batch: BatchSpecOutput | null;
  /**
   * The messages that it answers; null: none.
   */
  stream: StreamSpecOutput | null;
}
/**
 * Requests of HTTP, which it always answers.
 */
export interface HttpDocument1 {}
/**
 * A way in which an endpoint is called besides HTTP; ``words``: source and sink, ``state``: its condition now.
 */
export interface WayCard {
  way: 'batch' | 'stream';
  words: string;
  state: string;
  healthy: boolean;
}
/**
 * A ramp in progress, or one that went back; ``words``: its step, how long it lasts, and why it holds.
 */
export interface RampView {
  candidate: string;
  words: string;
  paused: boolean;
  ended: boolean;
  evidence: string[];
}
/**
 * All endpoints.
 */
export interface EndpointsRequest {}
export interface EndpointsView {
  endpoints: EndpointRow[];
  home: string;
}
/**
 * The result of one check of an image; ``inconclusive``: it could not be decided here.
 *
 * ``digest``: whether this store published the image under the reference; ``bill of materials``: whether it is the one
 * that the signer attested or this store published; ``gates``: whether they held, as the signer attested;
 * ``snapshot``: whether label, bento and model name the same snapshot; ``model``: whether the files have the
 * snapshot's hashes.
 */
export interface Evidence {
  subject:
    'signature' | 'digest' | 'bill of materials' | 'gates' | 'snapshot' | 'model' | 'validation';
  verdict: 'pass' | 'fail' | 'inconclusive';
  sentence: string;
}
/**
 * An expression for an example. ``placeholder``: its values are made up by the parameters' types.
 */
export interface ExampleGuess {
  expression: string;
  words: string;
  placeholder: boolean;
}
/**
 * Explain an answer: the contribution of each feature, by stable and its candidates.
 */
export interface ExplainRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The x-request-id of an answered request (default: the latest one).
   */
  request_id?: string | null;
  /**
   * The record's key in JupyterLab's list, in place of an id.
   */
  key?: string | null;
  /**
   * The row of the request, from 0.
   */
  row?: number;
}
/**
 * The explanations of the answers to one instance; ``background``: the background rows in words.
 */
export interface Explanation {
  endpoint: string;
  request_id: string;
  row: number;
  background: string;
  releases: ReleaseExplanation[];
  notes: string[];
}
/**
 * The explanation of one release's answer.
 *
 * Attributes
 * ----------
 * answer
 *     The answer as JSON; ``explains``: the number that is explained, in words.
 * value, baseline
 *     This number for the instance, and its mean over the background rows that were drawn.
 * pairs
 *     Orders that were walked forwards and backwards.
 * contributions
 *     The largest first.
 */
export interface ReleaseExplanation {
  release: string;
  role: string;
  answer: string;
  explains: string;
  value: number;
  baseline: number;
  pairs: number;
  contributions: Contribution[];
}
/**
 * Write a translated release as files for other languages: graph, manifest, conformance data set, clients.
 *
 * ONNX Runtime runs the graph without Python. The clients, one file for each of C++, Java, JavaScript, Python, R and
 * Rust, answer a table's rows; check.py compares their answers with those of the notebook's model.
 *
 * The release must be a translation: deploy it with --engine onnx. For example: nbdeploy export churn.
 * Details: docs/how-to/export-a-translation.md.
 */
export interface ExportRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The release's tag, or the beginning of its version (default: the stable one).
   */
  release?: string | null;
  /**
   * The format of the model.
   */
  format?: 'onnx';
  /**
   * The folder, with {name} for the endpoint's name; made if need be.
   */
  to?: string;
  /**
   * File of a private key of cosign for the signature of the manifest (default: the setting sign_key; without a key the manifest has digests and no signature).
   */
  sign?: string | null;
  /**
   * Overwrite an export in the folder; other files stay.
   */
  overwrite?: boolean;
}
/**
 * Records in a file; ``rows``: one for each instance, 0 for a notebook, which reads them when it runs.
 */
export interface Exported {
  endpoint: string;
  file: string;
  rows: number;
  bytes: number;
}
/**
 * A program that answers a table's rows by the graph.
 *
 * ``tested``: nbdeploy's tests run it against conformance data sets; else only its text is known.
 */
export interface ExportedClient {
  language: string;
  file: string;
  tested: boolean;
}
/**
 * Counts of an endpoint's feedback, and how much of it is joined to the answers.
 *
 * ``posted = joined + repeated + ambiguous + unknown``: each stored line is counted once.
 *
 * Attributes
 * ----------
 * accepted
 *     Items that this call sent and the endpoint stored.
 * posted
 *     Stored lines, of all time.
 * joined
 *     The latest values of rows that stable or the canary answered.
 * late
 *     Joined values that arrived more than a day after the answer (``LATE``).
 * repeated
 *     Earlier values of rows that have a later one.
 * ambiguous
 *     Values whose request id belongs to several answered requests; they are joined to none.
 * unknown
 *     Values without a record of this id and row: not yet, no longer (purged, cleared), or never. They are stored,
 *     and are joined once the record exists.
 * rows_with_truth
 *     Joined rows with an actual value that was not withdrawn.
 * releases
 *     The number of these rows that each release answered, shadows too.
 * unreadable
 *     Lines that a kill truncated, or that are invalid.
 * removed
 *     Lines that were ever purged or cleared.
 */
export interface Feedback {
  endpoint: string;
  /**
   * The share of the requests that is recorded now.
   */
  record_sample: number;
  accepted: number;
  posted: number;
  joined: number;
  late: number;
  repeated: number;
  ambiguous: number;
  unknown: number;
  rows_with_truth: number;
  /**
   * Rows with truth that each release answered.
   */
  releases: {
    [k: string]: number;
  };
  unreadable: number;
  removed: number;
}
/**
 * Send ground truth to an endpoint, and show the share that could be joined with its answers.
 *
 * Any client can send it: POST /NAME/feedback takes {"request_id", "row", "actual"}, or {"feedback": [...]} of many.
 * If a row is sent again, the last value counts.
 */
export interface FeedbackRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * A file (CSV, JSON lines, JSON or Parquet) or JSON with request_id (an answer's x-request-id), row (from 0; default 0) and actual; in Python also a list or a data frame (default: only the counts are shown).
   */
  data?: unknown;
}
/**
 * One field of the form; ``kind`` decides the control.
 *
 * Attributes
 * ----------
 * required
 *     One that is not may be left out of the instance.
 * nullable
 *     An empty field means ``null``.
 * value
 *     The example's; None where it has none.
 */
export interface FormField {
  name: string;
  label: string;
  kind: 'number' | 'integer' | 'text' | 'boolean' | 'choice' | 'json';
  choices: unknown[];
  required: boolean;
  nullable: boolean;
  minimum: number | null;
  maximum: number | null;
  help: string;
  value: unknown;
}
/**
 * How an endpoint can be asked.
 */
export interface FormRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The release (default: the stable one).
   */
  release?: string | null;
}
/**
 * How to try an endpoint: one instance as fields, or (``fields`` empty) as JSON; and how programs call it.
 *
 * ``instance`` is the example's first one; None where the example has none.
 */
export interface FormView {
  name: string;
  release: string;
  url: string;
  fields: FormField[];
  instance: unknown;
  snippets: Snippet[];
}
export interface Snippet {
  language: 'curl' | 'python' | 'r' | 'javascript';
  title: string;
  text: string;
}
/**
 * Remove unused images from this machine's store, and unused snapshots of deleted endpoints.
 *
 * Registries are not touched. Images of endpoints, of revisions in their history, of publications and of containers
 * stay.
 */
export interface GcRequest {
  /**
   * Show the images and snapshots that would be removed; remove none.
   */
  dry_run?: boolean;
}
/**
 * The broken parts of nbdeploy itself.
 */
export interface HealthRequest {}
/**
 * The parts of nbdeploy itself that are broken, as ``doctor`` finds them.
 */
export interface HealthView {
  broken: HealthCheck[];
}
/**
 * Show the endpoint's revisions: author, time, reason and change.
 */
export interface HistoryRequest {
  /**
   * The endpoint's name.
   */
  name: string;
}
/**
 * Requests of HTTP, which an endpoint always answers: there is nothing to set.
 */
export interface HttpDocument2 {}
/**
 * The known images, newest first.
 *
 * ``unasked`` names the container engines that did not report their containers, with reasons.
 */
export interface ImageList {
  /**
   * This machine's image store.
   */
  folder: string;
  /**
   * Bytes of its images, with shared blobs counted once.
   */
  size: number;
  images: UsedImage[];
  unasked: string[];
}
/**
 * List the images of this machine's store and the published ones, with their uses.
 */
export interface ImagesRequest {}
/**
 * Write what a project needs to have its models validated: in GitHub's CI, at each commit, and by hand.
 *
 * A workflow, a pre-commit hook, nbdeploy.yaml, and a first validation notebook for each model that a notebook here
 * deploys ('%deploy', 'deploy(…)'). A file that is there is never changed: you are shown what to add to it.
 */
export interface InitRequest {
  /**
   * The project; within a git repository its top is meant.
   */
  folder?: string;
  /**
   * Only this training notebook (default: all that deploy a model, or the one that fits one).
   */
  notebook?: string | null;
  /**
   * Its endpoint's name (default: as it says).
   */
  name?: string | null;
  /**
   * Its variable that holds the model (default: as it says).
   */
  model?: string | null;
  /**
   * What the model is called with, such as 'X_test[:5]' (default: as it says).
   */
  example?: string | null;
  /**
   * Write the files for Prometheus, Alertmanager and Grafana instead, into the folder monitoring.
   */
  monitoring?: boolean;
  /**
   * Write the validation notebooks and nbdeploy.yaml alone, into this very folder: no workflow, no hook and no requirements.
   */
  without_ci?: boolean;
  /**
   * Show the files, and write none.
   */
  dry_run?: boolean;
}
/**
 * One run of a slow verb.
 *
 * Attributes
 * ----------
 * request
 *     The verb's request as a document; after a capture, the snapshot's tag is in ``source``. Parameters that are
 *     secret by their names are removed, except for the kernel and the process that need them.
 * title
 *     Title for people: ``deploy clf as churn``.
 * interpreter
 *     The Python that runs it; empty: the server's.
 * asked
 *     Process id of the kernel that must capture the model as soon as it is free; None: no kernel must.
 * notebook
 *     The kernel's notebook, if a kernel must capture: it may have been renamed since.
 * kernel
 *     Process id of the kernel that captures the model; None: no kernel does.
 * steps, step
 *     The number of steps, and the title of the current one.
 * result
 *     The verb's domain object as a document, once it is done.
 */
export interface Job {
  id: string;
  verb: string;
  title: string;
  endpoint: string | null;
  request: {
    [k: string]: unknown;
  };
  state: 'waiting' | 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  interpreter: string;
  asked: number | null;
  notebook: string | null;
  kernel: number | null;
  pid: number | null;
  number: number;
  steps: number;
  step: string;
  created_at: string;
  ended_at: string | null;
  result: unknown;
  problem: Problem | null;
}
/**
 * The reason for a failure as RFC 9457 defines it, with a remedy.
 *
 * Attributes
 * ----------
 * code
 *     The error class's code, such as ``gate_failed``: stable, for programs.
 * errors
 *     ``{"loc": [...], "msg": ...}`` for each invalid field.
 * report
 *     Path of the report of the validation that refused it; empty: there is none.
 * findings
 *     The checks' findings as ``domain.findings.Finding`` documents, if they are the reason.
 * revision, history
 *     After a conflict: the current revision, and the history since the revision of the request, as ``RevisionRow``
 *     documents, newest first.
 */
export interface Problem {
  code: string;
  title: string;
  status: number;
  detail: string;
  remedy: string;
  details: string;
  errors: {
    [k: string]: unknown;
  }[];
  report: string;
  findings: {
    [k: string]: unknown;
  }[];
  revision: number | null;
  history: {
    [k: string]: unknown;
  }[];
}
/**
 * An event of a job; ``id`` increases over all jobs, so that a client can resume after an event.
 *
 * ``kind``: ``state`` (data is the job's document), ``step`` (``{number, total, title}``,
 * of a search also ``board``: ``domain.progress.Leaderboard``), ``underway`` (of a
 * validation's run: ``domain.validation.Underway``; the last of each run and side is kept), ``log`` (``{text}``, whole
 * lines of what the operation or its libraries print).
 */
export interface JobEvent {
  id: number;
  job: string;
  at: string;
  kind: 'state' | 'step' | 'underway' | 'log';
  data: {
    [k: string]: unknown;
  };
}
/**
 * One job with all its events, oldest first.
 */
export interface JobWithEvents {
  id: string;
  verb: string;
  title: string;
  endpoint: string | null;
  request: {
    [k: string]: unknown;
  };
  state: 'waiting' | 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  interpreter: string;
  asked: number | null;
  notebook: string | null;
  kernel: number | null;
  pid: number | null;
  number: number;
  steps: number;
  step: string;
  created_at: string;
  ended_at: string | null;
  result: unknown;
  problem: Problem | null;
  events: JobEvent[];
}
/**
 * What the kernel tells of itself: the bridge's answer.
 *
 * Attributes
 * ----------
 * version
 *     nbdeploy's there.
 * labelled
 *     Rows that models may be compared on.
 * problem, remedy
 *     Why nothing could be deployed from here as it is, such as a setting that is wrong; empty: nothing is.
 * language
 *     The kernel's: ``python`` or ``R``.
 */
export interface KernelReport {
  version: string;
  interpreter: string;
  pid: number;
  notebook: string | null;
  home: string;
  models: ModelCandidate[];
  labelled: LabelledRows[];
  problem: string;
  remedy: string;
  language: string;
}
/**
 * A model in the kernel.
 *
 * Attributes
 * ----------
 * cell
 *     The last executed cell that made or changed it; None: unknown.
 * unusual
 *     A form asks whether it is the one, even if it ranks first: it is not fitted, a transformer, a plain callable
 *     object, or a detector of outliers that is not the only model.
 */
export interface ModelCandidate {
  variable: string;
  kind: string;
  framework: string;
  methods: string[];
  method: string | null;
  examples: ExampleGuess[];
  why: string;
  cell: number | null;
  unusual: boolean;
}
/**
 * Variables of rows and of their true answers, by which models are scored. ``words``: the rows' size.
 */
export interface LabelledRows {
  x: string;
  y: string;
  words: string;
}
/**
 * Name a release in your own words; every command takes the label in place of the tag.
 */
export interface LabelRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The release's tag, version or present label.
   */
  release: string;
  /**
   * At most 60 characters, such as 'wider trees'; empty: none.
   */
  label?: string;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * A release's label, and its former one; empty: none.
 */
export interface Labelled {
  endpoint: string;
  release: string;
  label: string;
  before: string;
}
/**
 * The last deploy of a notebook's model, which a form offers again.
 *
 * Attributes
 * ----------
 * model
 *     The variable.
 * method
 *     None: the model is called.
 * example
 *     The expression; None: unknown.
 * nullable
 *     Columns that accept null in addition to those of the example.
 */
export interface LastDeploy {
  release: string;
  at: string;
  model: string;
  method: string | null;
  example: string | null;
  nullable: string[];
}
/**
 * The best scores of a search so far, the best first. The search can be ended: they are kept.
 */
export interface Leaderboard {
  metric: string;
  rows: Standing[];
}
/**
 * A row of a leaderboard.
 *
 * Attributes
 * ----------
 * score
 *     The best one so far, in words.
 * trial
 *     The number of the trial that has it.
 * trials
 *     Trials of this name so far.
 */
export interface Standing {
  name: string;
  score: string;
  trial: number;
  trials: number;
}
/**
 * All endpoints.
 */
export interface ListRequest {}
export interface LiveRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  minutes?: number;
}
/**
 * The last minutes; ``charts`` by name: rate, errors, refused, latency. ``requests`` of clients, without copies.
 *
 * ``refusals``: the reasons of refused requests, the most frequent first. ``note``: the reason why a part is missing;
 * empty: nothing is.
 */
export interface LiveView {
  charts: {
    [k: string]: {
      [k: string]: unknown;
    };
  };
  minutes: number;
  requests: number;
  refusals: Refusal[];
  note: string;
}
/**
 * Show the endpoint's records, oldest first.
 */
export interface LogsRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * Only records of the last 90s, 15m, 1h, 7d, … or since 2026-11-25T12:00.
   */
  since?: string | null;
  /**
   * Only records before 1h, 7d, … ago or 2026-11-25T12:00.
   */
  until?: string | null;
  /**
   * Only records of this role; probe: the start check; direct: not through the gateway.
   */
  role?: ('stable' | 'canary' | 'shadow' | 'probe' | 'direct') | null;
  /**
   * Only this HTTP status.
   */
  status?: number | null;
  /**
   * Only records of this x-request-id (repeatable).
   */
  request_id?: string[];
  /**
   * Only records of this release.
   */
  release?: string | null;
  /**
   * Only records with this text in input, output or error.
   */
  text?: string;
  /**
   * Only requests with a row in which a column has one of these values, such as 'age: >=60' or 'region: north, south' (repeatable: all of them).
   */
  where?: string[];
  /**
   * Only requests that two releases answered differently.
   */
  differs?: boolean;
  /**
   * Only records behind a drift alarm, from the begin of the drift.
   */
  alarmed?: boolean;
  /**
   * Only the latest records, at most this many.
   */
  limit?: number | null;
  /**
   * Continue with new records until interrupted.
   */
  follow?: boolean;
  /**
   * Write them into a new file instead, one row for each instance: NAME.csv, NAME.parquet, or NAME.ipynb, a notebook that opens them as a data frame.
   */
  export?: string | null;
}
/**
 * Documents for Kubernetes, in the order in which they are applied.
 */
export interface Manifests {
  documents: {
    [k: string]: unknown;
  }[];
}
/**
 * Show the objects of the target kubernetes: an endpoint's workloads, or with --rbac those of an administrator.
 *
 * 'nbdeploy manifests --rbac -o yaml | kubectl apply -f -' prepares a namespace. Nothing is cluster-wide. --expose is
 * for TLS and host names before the gateway, --monitoring for Prometheus' operator and Grafana.
 */
export interface ManifestsRequest {
  /**
   * The endpoint's name.
   */
  name?: string | null;
  /**
   * The Roles of users and gateway, the gateway's account and its Secret with new keys.
   */
  rbac?: boolean;
  /**
   * With --rbac: users may create, patch and delete Secrets, never read one.
   */
  secrets?: boolean;
  /**
   * An Ingress, or an HTTPRoute, that leads the gateway's host names to it.
   */
  expose?: boolean;
  /**
   * An exporter of all releases' metrics, its ServiceMonitor, the alerts, and Grafana's dashboard.
   */
  monitoring?: boolean;
  /**
   * With --expose: NAMESPACE/NAME of a Gateway, for an HTTPRoute in place of an Ingress.
   */
  gateway?: string | null;
  /**
   * With --expose: the Ingress' Secret with certificate and key.
   */
  tls?: string | null;
  /**
   * With --expose: the Ingress' class (default: the cluster's).
   */
  ingress_class?: string | null;
  /**
   * With --rbac: the gateway takes requests without a token.
   */
  open?: boolean;
}
/**
 * A change of the endpoint; ``number`` names it in the charts.
 */
export interface Marker {
  number: number;
  at: string;
  revision: number;
  words: string;
  by: string;
  reason: string;
}
/**
 * The written files.
 *
 * Attributes
 * ----------
 * rows
 *     The rows of the conformance data set, by origin.
 * signed_by
 *     SHA-256 of the public key; None: the manifest is not signed.
 */
export interface ModelExport {
  endpoint: string;
  release: string;
  folder: string;
  files: string[];
  clients: ExportedClient[];
  rows: {
    [k: string]: number;
  };
  proof: string;
  signed_by: string | null;
}
/**
 * The result of a search.
 *
 * Attributes
 * ----------
 * rows, held_out
 *     The rows of the table, and those of them that no model was trained on.
 * split
 *     How they were held out, in words.
 * trials
 *     All trials in their order.
 * best
 *     The best trial of each family, the best first.
 * stopped
 *     Ctrl-C ended the search; the trials until then count.
 * notebook, validation
 *     The files that were written.
 * proved_rows
 *     The held-out rows on which each model of the notebook answers as the search's model.
 * table
 *     The candidates.
 * chosen
 *     The name of the row to deploy; empty: no row meets the constraints, or none is better than the baseline.
 * beaten
 *     The chosen model is better than the baseline on the held-out rows, with the interval of the table.
 * deployed
 *     The endpoint with the new release's role and tag; empty: nothing was deployed.
 */
export interface ModelSearchResult {
  data: string;
  label: string;
  task: 'classification' | 'regression';
  metric: string;
  greater_is_better: boolean;
  rows: number;
  held_out: number;
  split: string;
  seed: number;
  engine: string;
  trials: Trial[];
  best: Trial[];
  seconds: number;
  stopped: boolean;
  notes: SearchNote[];
  notebook: string;
  validation: string;
  proved_rows: number;
  table: ModelSelection;
  chosen: string;
  beaten: boolean;
  why: string;
  deployed: string;
}
/**
 * A model that was tried.
 *
 * Attributes
 * ----------
 * family
 *     Such as ``lightgbm``.
 * expression
 *     The Python expression of the unfitted model, in the words of the notebook.
 * score
 *     The mean of the metric over the folds of the training rows; None: it could not be fitted or scored.
 * seconds
 *     The time of the trial.
 * why
 *     Why there is no score.
 */
export interface Trial {
  number: number;
  family: string;
  expression: string;
  score: number | null;
  seconds: number;
  why: string;
}
/**
 * Something that the user should know about the data or the search, with the remedy.
 */
export interface SearchNote {
  severity: 'note' | 'warning';
  message: string;
  remedy: string;
}
/**
 * An endpoint in a range of time.
 *
 * Attributes
 * ----------
 * since, until
 *     The range; ``every``: seconds of a span of ``traffic``, the first of which begins at ``since``.
 * requests, errors, refused
 *     Of clients, without the copies of shadows; ``p50_ms``, ``p95_ms``, ``p99_ms``: of their answers of status 200.
 * clients
 *     The requests of clients to all releases together.
 * drift
 *     Of one release, with the values of the range as ``now``; None: its snapshot is lost.
 * values_since, values_until
 *     The periods whose values are compared: hours, or days if the range is longer ago; None: there are none.
 * begun
 *     The first request or change of the endpoint, if the range would begin earlier: it begins then.
 * compared
 *     The second range, in spans of the same length.
 * joint
 *     The joint shift of the release's inputs on each past day that the range touches, by day.
 */
export interface Monitor {
  endpoint: string;
  release: string;
  since: string;
  until: string;
  every: number;
  requests: number;
  errors: number;
  refused: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  traffic: TimeBucket[];
  clients: TimeBucket[];
  markers: Marker[];
  drift: Drift | null;
  values_since: string | null;
  values_until: string | null;
  performance: JupyterDeploy_Domain_Monitoring_Performance__Performance | null;
  notes: string[];
  begun: string | null;
  compared: Monitor | null;
  joint: JointShift[];
}
/**
 * The requests to one release in one role from ``start`` on, for the requested length of time.
 *
 * ``errors`` are answers with status 500 and above, ``refused`` with a status from 400 to 498; latencies are of
 * answers with status 200.
 */
export interface TimeBucket {
  start: string;
  release: string;
  role: string;
  requests: number;
  errors: number;
  refused: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}
/**
 * Releases in the spans of a range, and in the whole range; both empty: there is no ground truth.
 *
 * ``segments``: the declarations by which both are divided too; ``left_out``: how many segments, those with the fewest
 * rows, are not. ``expected``: an estimate by the probabilities of
 * all answers of classifiers, with ground truth or without.
 */
export interface JupyterDeploy_Domain_Monitoring_Performance__Performance {
  since: string;
  until: string;
  spans: JupyterDeploy_Domain_Monitoring_Performance__Period[];
  totals: JupyterDeploy_Domain_Monitoring_Performance__Period[];
  segments: string[];
  left_out: number;
  expected: ExpectedPeriod[];
}
/**
 * A release's answers with ground truth in a span of time.
 *
 * Attributes
 * ----------
 * segment
 *     The rows' segment, ``region: north``; empty: all rows.
 * rows
 *     Rows with ground truth.
 * clusters
 *     Clusters of these: the requests of one ``x-sticky-key``, else one request. Each counts once.
 * accuracy
 *     The share of right answers, a mean over clusters, with its 95 % interval ``low`` to ``high``, valid at every
 *     look.
 * error
 *     The mean absolute error of answers that are numbers. One of both is None.
 */
export interface JupyterDeploy_Domain_Monitoring_Performance__Period {
  start: string;
  release: string;
  segment: string;
  rows: number;
  clusters: number;
  accuracy: number | null;
  error: number | null;
  low: number | null;
  high: number | null;
}
/**
 * An alarm of drift or of quality.
 *
 * ``words``: what happened; ``sure``: how sure that is. ``since``, ``until``: the requests behind it, ``release``: the
 * release that they went to; ``status``: of refused requests.
 */
export interface MonitorAlarm {
  kind: 'drift' | 'quality';
  at: string;
  words: string;
  sure: string;
  request_id: string;
  release: string;
  since: string;
  until: string | null;
  status: number | null;
}
/**
 * A feature against the reference, by rank; ``moved``: the bin whose share moved most, in words.
 *
 * ``evidence``: the e-value of the range alone; ``jensen_shannon``: a size without a scale of good and bad (bits).
 * ``compared``: the same from the second range to this one, a description without a test; empty: there is none.
 */
export interface MonitorFeature {
  name: string;
  alarms: number;
  moved: string;
  evidence: number;
  jensen_shannon: number | null;
  compared: string;
}
/**
 * A written report; ``notebook`` is empty if none was asked for.
 */
export interface MonitorReport {
  endpoint: string;
  file: string;
  notebook: string;
  monitor: Monitor;
}
/**
 * Show an endpoint in a range of time.
 */
export interface MonitorRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The range's begin: 1h, 7d or a moment (default: all).
   */
  since?: string | null;
  /**
   * The range's end (default: now).
   */
  until?: string | null;
  /**
   * The begin of a second range that is shown next to it: 14d or a moment.
   */
  compare_since?: string | null;
  /**
   * The end of the second range (default: it is as long as the first).
   */
  compare_until?: string | null;
  /**
   * The release whose drift is shown (default: stable).
   */
  release?: string | null;
}
/**
 * An endpoint in a range of time, without its performance, which takes longer to read.
 *
 * ``charts`` by name: rate, errors, refused, latency, joint, answers, features. ``reference``: the origin of the
 * reference and the alarms' rate of errors, in words. ``values``: the time of the compared values, in words; empty:
 * none. ``joint``: the latest day's joint shift of all inputs, in words; empty: none. ``begun``: the endpoint's begin,
 * if it is in the range. ``state``: of the watch. ``compared``: the second range, if one is asked for. ``notes``: the
 * reasons why a part is missing.
 */
export interface MonitorView {
  release: string;
  since: string;
  until: string;
  spans: string;
  requests: number;
  errors: number;
  refused: number;
  charts: {
    [k: string]: {
      [k: string]: unknown;
    };
  };
  alarms: MonitorAlarm[];
  features: MonitorFeature[];
  markers: Marker[];
  state: 'watching' | 'collecting' | 'none';
  reference: string[];
  values: string;
  joint: string;
  begun: string | null;
  compared: ComparedRange | null;
  notes: string[];
}
/**
 * A validation notebook near the one that is open.
 *
 * ``gates``: those in its metadata. ``of``: the other notebook there that its name tells of; empty: none.
 */
export interface NearbyNotebook {
  path: string;
  title: string;
  of: string;
  gates: string[];
  parameters: {
    [k: string]: unknown;
  };
}
/**
 * What a deploy from a notebook finds around it.
 */
export interface NotebookContextRequest {
  /**
   * The notebook's file: an absolute path, or one relative to the server's folder.
   */
  path: string;
}
/**
 * What the dialog finds around a notebook.
 *
 * Attributes
 * ----------
 * name
 *     The endpoint of this notebook's last deploy, else a name derived from the notebook's.
 * endpoints
 *     Existing endpoints, each with the role of a next release.
 * owners
 *     Of those with a stable release from another notebook, its file's name.
 * gates, notebooks
 *     The gates of nbdeploy.yaml or of the endpoint, and the validation notebooks in the same folder.
 * resources
 *     The resources of a release by default.
 * last
 *     The last deploy of this notebook's model; None: there is none, or its snapshot is gone.
 * settings
 *     The folder's ``nbdeploy.yaml``; None: there is none, or it has nothing to agree to.
 */
export interface NotebookContextView {
  name: string;
  endpoints: {
    [k: string]: 'stable' | 'shadow';
  };
  owners: {
    [k: string]: string;
  };
  notebooks: NearbyNotebook[];
  gates: string[];
  asked: string[];
  resources: Resources2;
  last: LastDeploy | null;
  settings: SettingsFile | null;
}
/**
 * A release's resources; None: any, or the usual number of workers and threads.
 */
export interface Resources2 {
  /**
   * Processors, such as 2 or 0.5, for all its workers.
   */
  cpu: number | null;
  /**
   * Memory for all its workers together, such as 512MB or 2GiB.
   */
  memory: number | null;
  /**
   * Devices as CUDA counts them, such as 0 or 0,1; none: no device.
   */
  gpu: string | null;
  /**
   * Processes, which share the loaded model's memory (default: 1); 1-8: as many as the load needs.
   */
  workers: number | string | null;
  /**
   * Threads of a worker's numerical libraries (default: cpu / workers).
   */
  threads: number | null;
  /**
   * Seconds, or a text such as 30m, without a request after which its workers stop until the next one (default: never).
   */
  idle_after: number | null;
  /**
   * Pods in a cluster (default: the cluster's setting); 2-20: as many as the load needs; 0-20: none while there are no requests.
   */
  replicas: number | string | null;
}
/**
 * An ``nbdeploy.yaml`` with settings that jobs read only after the user's agreement.
 *
 * Attributes
 * ----------
 * digest
 *     Of its content, to which the user agrees.
 * content
 *     The settings that the agreement adds, as YAML; secrets are masked.
 * agreed
 *     The user has agreed to this content.
 */
export interface SettingsFile {
  folder: string;
  path: string;
  digest: string;
  content: string;
  agreed: boolean;
}
/**
 * The performance by ground truth, and estimated; ``rows``: those with ground truth.
 *
 * ``chart``: None if there is neither. ``estimate``: what the estimate is, and how far it is off; empty: none.
 * ``by_segment``: the chart of the declared segments; ``segments``: their figures in the range, and in the second one
 * if ``compared``; ``declared``: there are declarations; ``left_out``: that some segments are left out, in words.
 */
export interface PerformanceView {
  rows: number;
  chart: {
    [k: string]: unknown;
  } | null;
  by_segment: {
    [k: string]: unknown;
  } | null;
  segments: SegmentFigures[];
  declared: boolean;
  left_out: string;
  compared: boolean;
  estimate: string;
}
/**
 * A segment's performance in a range, in words: a value with its interval. ``compared``: in the second range.
 */
export interface SegmentFigures {
  segment: string;
  release: string;
  rows: number;
  value: string;
  compared: string;
}
/**
 * Show the changes that 'apply FILE' makes: nothing is changed.
 *
 * The exit code is 1 if there are changes, 0 if the endpoints are as the file says.
 */
export interface PlanRequest {
  /**
   * A YAML file with one document for each endpoint, as 'nbdeploy describe NAME -o yaml' writes it.
   */
  file?: string | null;
  /**
   * In place of a file: the document of one endpoint, as JSON. Its relative paths are those of this folder.
   */
  document?: EndpointDocument | null;
  /**
   * Accept snapshots from another store, after you have checked their origin.
   */
  trust?: boolean;
}
/**
 * Call the endpoint through its gateway.
 */
export interface PredictRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * JSON, or @FILE: a request body, or its list of instances (default: the stable release's example); in Python also a list, an array or a data frame.
   */
  data?: unknown;
}
/**
 * An endpoint's answer to one request.
 */
export interface Prediction {
  endpoint: string;
  status: number;
  release: string | null;
  request_id: string | null;
  body: unknown;
}
/**
 * What a change would do, before it is done.
 *
 * Attributes
 * ----------
 * asks
 *     Whether people want to be asked first: it touches clients.
 * evidence
 *     The comparison of the candidate that gains clients; of a canary that was a shadow, both. Empty: nothing to
 *     compare.
 */
export interface Preview {
  title: string;
  revision: number;
  rows: RoleChange[];
  notes: string[];
  asks: boolean;
  evidence: RoleEvidence[];
}
export interface RoleChange {
  tag: string;
  before: string;
  after: string;
}
/**
 * A comparison with stable in one role of a candidate: the verdict (empty: there is none yet) and a sentence.
 */
export interface RoleEvidence {
  role: 'stable' | 'canary' | 'shadow' | 'idle';
  verdict: string;
  reason: string;
}
/**
 * What a change would do.
 */
export interface PreviewRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  verb: 'traffic' | 'promote' | 'rollback' | 'stop' | 'delete';
  /**
   * The verb's request without the endpoint's name.
   */
  given?: {
    [k: string]: unknown;
  };
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
}
/**
 * Make the candidate stable, at once and without losing a request.
 */
export interface PromoteRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The candidate (default: the canary, else the only shadow).
   */
  tag?: string | null;
  /**
   * Continue although gates do not hold; needs a reason, which is stored.
   */
  force?: boolean;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * An image in a registry, recorded by this store.
 */
export interface Publication {
  /**
   * With tag and digest.
   */
  reference: string;
  image: Image;
  endpoint: string | null;
  /**
   * Of the release that was published; None: no gates.
   */
  validation: string | null;
  /**
   * Why it was published although gates did not hold.
   */
  forced: string;
  /**
   * The choice among models that led to the release; empty: none.
   */
  choice: string;
  /**
   * SHA-256 of the public key.
   */
  signed_by: string | null;
  /**
   * SHA-256 of the attached document.
   */
  bill_of_materials: string;
  published_at: string;
  user: string;
}
/**
 * What a publication of a release needs; ``to`` and ``base`` as they are typed so far.
 */
export interface PublishFormRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  release?: string | null;
  to?: string;
  base?: string;
  /**
   * Check what is typed, and whether the registry answers.
   */
  check?: boolean;
}
/**
 * The form of a publication: ``to`` and ``base`` that apply if the fields are empty, and what is wrong so far.
 *
 * ``base`` is empty if there is none yet: Python's own slim image is taken then. ``settings``: as of a deploy, in the
 * folder of the release's notebook.
 */
export interface PublishFormView {
  to: string;
  base: string;
  problems: FieldProblem[];
  settings: SettingsFile | null;
}
/**
 * Build a container image of a release, push it to a registry and record its digest.
 *
 * Any container runtime or cloud runs it without nbdeploy. Layers that the registry has are not sent again. A bill of
 * materials (CycloneDX) is attached to the image, and with a key a signature.
 *
 * A release that does not pass its endpoint's gates is refused. For example:
 * nbdeploy publish churn --to registry.example/team/churn. Details: docs/how-to/publish-an-image.md.
 */
export interface PublishRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The release's tag, or the beginning of its version (default: the stable one).
   */
  release?: string | null;
  /**
   * HOST/PATH or HOST/PATH:TAG (default: the setting publish_to, else the destination of the endpoint's last publication; the default tag is the release's version).
   */
  to?: string | null;
  /**
   * The base image, HOST/PATH@sha256:… (default: the setting base_image, else that of the last publication, else python:X.Y-slim as container tools resolve it, pinned by its digest).
   */
  base?: string | null;
  /**
   * The builder: daemonless needs no container engine; engine lets buildah, podman or docker build a Containerfile, which is kept.
   */
  builder?: 'daemonless' | 'engine';
  /**
   * File of a private key of cosign for the signature (default: the setting sign_key).
   */
  sign?: string | null;
  /**
   * Move a tag that names another image.
   */
  overwrite?: boolean;
  /**
   * Continue although gates do not hold; needs a reason, which is stored.
   */
  force?: boolean;
  /**
   * The reason for --force; stored with the publication.
   */
  reason?: string;
  /**
   * Build the image, show its layers and those that the registry has; send nothing.
   */
  dry_run?: boolean;
}
/**
 * A release's image in a registry; with ``dry_run``, the image that would be sent.
 *
 * ``changed`` is False if the tag named this image already, so that no layer was sent.
 */
export interface Published {
  publication: Publication;
  /**
   * The release's tag.
   */
  release: string;
  /**
   * Digests of the layers that the registry had already.
   */
  there: string[];
  /**
   * Bytes of the CycloneDX document that is attached to the image.
   */
  bill_of_materials: number;
  /**
   * A line for a shell that starts the image.
   */
  command: string;
  /**
   * The file that an engine built it by; None: it needed no engine.
   */
  containerfile: string | null;
  changed: boolean;
  dry_run: boolean;
}
/**
 * Remove records permanently, from JSON lines, Parquet and the gateway's ledger, with their feedback.
 *
 * At least one condition is needed.
 *
 * With both, only records of one of the ids *and* before the moment are removed.
 */
export interface PurgeRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * Records older than 7d, 12h, …, or from before 2026-11-25T12:00.
   */
  before?: string | null;
  /**
   * Records of this x-request-id (repeatable).
   */
  request_id?: string[];
  /**
   * Count the records without removing them.
   */
  dry_run?: boolean;
}
/**
 * Counts of permanently removed data, or with ``dry_run`` of data to be removed.
 *
 * ``records``, ``feedback`` (ground truth) and ``ledger_lines`` (the gateway's own log) count lines; ``unreadable``
 * counts lines that a kill left incomplete.
 */
export interface Purged {
  endpoint: string;
  records: number;
  feedback: number;
  ledger_lines: number;
  unreadable: number;
  dry_run: boolean;
}
/**
 * What a kernel of R needs to answer the Deploy dialog.
 */
export interface RKernelRequest {}
/**
 * What a kernel of R needs to answer as Python's bridge does.
 *
 * Attributes
 * ----------
 * version, interpreter, home
 *     nbdeploy's, which captures for the kernel.
 * scripts
 *     The files whose functions answer, in the order in which R reads them.
 */
export interface RKernelView {
  version: string;
  interpreter: string;
  home: string;
  scripts: string[];
}
/**
 * Give a canary more and more of the requests, advanced and rolled back by evidence; without options, show it.
 *
 * A process of its own drives the ramp: it outlives the notebook and the shell. It advances when a point more errors
 * than stable is excluded, the requirements are met, 100 clusters of requests passed and the step has lasted long
 * enough; 100 means to promote. It rolls back as soon as the candidate is shown to be worse.
 *
 * For example: nbdeploy ramp churn --steps 1,5,20,50,100. Details: docs/how-to/ramp-a-canary.md.
 */
export interface RampRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * Begin a ramp: the candidate's percentages of the requests, which rise, such as 1,5,20,50,100; 100 promotes it.
   */
  steps?: string | null;
  /**
   * A figure of 'compare' that must be shown before a step ends, such as 'slow_rate <= 6%' (repeatable); if its opposite is shown, the ramp rolls back.
   */
  require?: string[];
  /**
   * The least duration of a step, such as 30m or 2h (default: 30m).
   */
  per_step?: string | null;
  /**
   * The candidate (default: the canary, else the only shadow).
   */
  candidate?: string | null;
  /**
   * The candidate begins as a shadow, and answers clients once it is shown to agree with stable.
   */
  shadow_first?: boolean;
  /**
   * Stay at the present share; the guardrails still roll back.
   */
  pause?: boolean;
  /**
   * Continue a paused ramp; its step begins anew.
   */
  resume?: boolean;
  /**
   * End the ramp: the candidate answers no clients any more.
   */
  abort?: boolean;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * Restore the desired state: after a crash, a kill or a reboot.
 */
export interface ReconcileRequest {
  /**
   * Reconcile at each boot instead of now, by a systemd user unit with the current settings; off: remove the unit.
   */
  at_boot?: ('on' | 'off') | null;
}
/**
 * Changes that a reconciliation made to reach the desired state.
 *
 * Attributes
 * ----------
 * moved_from
 *     The former URL, if another process has taken the gateway's port; None: it is the same.
 */
export interface Reconciled {
  endpoint: string;
  url: string | null;
  moved_from: string | null;
  started: string[];
  stopped: string[];
  failed: {
    [k: string]: string;
  };
}
/**
 * One logged inference, written by the release that answered.
 *
 * ``pair_id`` is the gateway's own unique id, the same in stable's and the shadows' records of one request
 * (None: the request did not come through the gateway). ``role`` is the release's role at that moment; ``probe`` is
 * the check at a start. ``inputs`` and ``outputs`` are the instances and the predictions, without the values of the
 * columns in ``redacted``. ``sample`` is the share of the requests that was recorded. ``canary`` is the release that
 * shared the requests with stable at that moment, and ``share`` its share of them, whichever release answered.
 * ``cluster`` is a salted hash of the caller's ``x-sticky-key``, ``inputs_digest`` a digest of ``inputs``.
 */
export interface Record {
  request_id: string;
  pair_id: string | null;
  ts: string;
  endpoint: string;
  release: string;
  role: string;
  status: number;
  latency_ms: number;
  rows: number | null;
  inputs: unknown;
  outputs: unknown;
  error: RecordError | null;
  redacted: string[];
  sample: number;
  canary: string | null;
  share: number | null;
  cluster: string | null;
  inputs_digest: string | null;
}
export interface RecordError {
  type: string;
  message: string;
}
export interface RecordRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  key: string;
}
/**
 * One record in the list; the beginnings of its first input and output.
 *
 * ``summary``: the input, else what went wrong, or why there is nothing to show. ``answer``: the output.
 * ``difference``: the largest one of two answers to the request, in a list that is ordered by it.
 */
export interface RecordRow {
  key: string;
  request_id: string;
  pair_id: string;
  ts: string;
  release: string;
  role: string;
  status: number;
  latency_ms: number;
  rows: number;
  summary: string;
  answer: string;
  difference: number | null;
}
/**
 * One request with every answer to it; ``input`` is JSON, ``cut``: not all of it.
 *
 * ``cell``: Python that loads it in a notebook, empty where there is nothing to load; ``note`` says why.
 */
export interface RecordView {
  request_id: string;
  pair_id: string;
  ts: string;
  rows: number;
  input: string;
  cut: boolean;
  answers: Answered[];
  cell: string;
  note: string;
}
/**
 * ``before``: the page that begins after this record, a page's ``next``. ``text`` in input, output or error.
 */
export interface RecordsRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  before?: string | null;
  limit?: number;
  role?: ('stable' | 'canary' | 'shadow' | 'probe' | 'direct') | null;
  status?: number | null;
  release?: string | null;
  text?: string;
  where?: string[];
  /**
   * Only requests that two releases answered differently.
   */
  differs?: boolean;
  /**
   * Only records behind a drift alarm.
   */
  alarmed?: boolean;
  order?: 'newest' | 'difference';
  since?: string | null;
  until?: string | null;
}
/**
 * A page of records, newest first. ``total`` of all that match; ``next``: where the next page begins.
 *
 * ``notes``: what the records do not hold, and what to do about it, in words.
 */
export interface RecordsView {
  records: RecordRow[];
  total: number;
  next: string | null;
  notes: string[];
}
/**
 * Requests that each release refused, with a status of 400 to 498.
 */
export interface RefusalCounts2 {
  stable: number;
  candidate: number;
}
/**
 * What a release's processes printed. ``text``: only lines with it, with the lines that belong to them.
 */
export interface ReleaseLogRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The release (default: the stable one).
   */
  release?: string | null;
  text?: string;
  /**
   * The latest lines, at most this many.
   */
  limit?: number;
}
/**
 * The latest lines that a release printed, oldest first; secrets are masked.
 *
 * ``cut``: there are earlier ones that are not shown. ``note``: why there are none; empty: there are.
 */
export interface ReleaseLogView {
  release: string;
  lines: string[];
  cut: boolean;
  note: string;
}
/**
 * Write a report of an endpoint: requests, latencies, answers, drift and alarms in a range of time.
 */
export interface ReportRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The range's begin: 24h, 30d or a moment.
   */
  since?: string | null;
  /**
   * The range's end (default: now).
   */
  until?: string | null;
  /**
   * The begin of a second range that is shown next to it: 14d or a moment.
   */
  compare_since?: string | null;
  /**
   * The end of the second range (default: it is as long as the first).
   */
  compare_until?: string | null;
  /**
   * The release whose drift is shown (default: stable).
   */
  release?: string | null;
  /**
   * The page's file, NAME.html; an earlier report is replaced.
   */
  file?: string;
  /**
   * Write a notebook next to it, which draws the same figures anew when it runs.
   */
  notebook?: boolean;
}
/**
 * Run a snapshot's notebook again in a clean environment, and compare the new model with the snapshot.
 *
 * The cells run from the top, up to the one that deployed, in the notebook's folder: they may write files there, and
 * their deploys are skipped. If the notebook's file is missing, the cells that were executed run instead.
 * The exit code is 0 if the answers are the same, else 1.
 */
export interface ReproduceRequest {
  /**
   * A tag (the beginning of a release's version is enough), or an endpoint's name, which means its stable release.
   */
  tag: string;
  /**
   * Run the cells of a snapshot from another store, after you have checked its origin.
   */
  trust?: boolean;
}
/**
 * The result of a new run, in a clean environment, of the cells behind a snapshot.
 */
export interface Reproduction {
  snapshot: string;
  outcome: 'reproduced' | 'differs';
  /**
   * Differences of the answers to the example, by row.
   */
  differences: string[];
  /**
   * Cells that raised. The run continues: a cell may need the result of a skipped deploy.
   */
  raised: string[];
  /**
   * The model is stochastic, and its answers lie within the same spread.
   */
  stochastic: boolean;
  /**
   * The number of instances in the example.
   */
  instances: number;
  /**
   * The notebook's current cells; or, if its file is missing, the executed cells.
   */
  ran: 'notebook' | 'executed cells';
  notebook: string | null;
  /**
   * Cells that differ from those behind the model.
   */
  changed: string[];
  python: string;
  /**
   * The number of distributions in the environment.
   */
  distributions: number;
}
/**
 * A release's resources; None: any, or the usual number of workers and threads.
 */
export interface Resources3 {
  /**
   * Processors, such as 2 or 0.5, for all its workers.
   */
  cpu: number | null;
  /**
   * Memory for all its workers together, such as 512MB or 2GiB.
   */
  memory: number | null;
  /**
   * Devices as CUDA counts them, such as 0 or 0,1; none: no device.
   */
  gpu: string | null;
  /**
   * Processes, which share the loaded model's memory (default: 1); 1-8: as many as the load needs.
   */
  workers: number | string | null;
  /**
   * Threads of a worker's numerical libraries (default: cpu / workers).
   */
  threads: number | null;
  /**
   * Seconds, or a text such as 30m, without a request after which its workers stop until the next one (default: never).
   */
  idle_after: number | null;
  /**
   * Pods in a cluster (default: the cluster's setting); 2-20: as many as the load needs; 0-20: none while there are no requests.
   */
  replicas: number | string | null;
}
/**
 * A verb's result as a page.
 */
export interface ResultPageRequest {
  /**
   * The id of the job whose result it is.
   */
  job?: string | null;
  /**
   * Without a job: the verb that gave 'result' at once.
   */
  verb?: string | null;
  /**
   * With 'verb': what it gave.
   */
  result?: unknown;
  /**
   * False: of a search without its table of candidates, which the widget draws itself.
   */
  candidates?: boolean;
}
/**
 * A job's result as a page: HTML without scripts, in which data are escaped.
 */
export interface ResultPageView {
  title: string;
  html: string;
}
/**
 * One change of an endpoint: user, time, reason, description.
 */
export interface Revision {
  endpoint: string;
  revision: number;
  at: string;
  by: string;
  reason: string;
  change: string;
  state: Endpoint;
}
/**
 * Restore the releases, traffic and recording of the previous revision, or of a named one.
 */
export interface RollbackRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * The revision to go back to (default: the previous one).
   */
  to?: number | null;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * What a search for models needs; its fields as they are typed so far.
 */
export interface SearchFormRequest {
  /**
   * The table's file: as the path of a notebook.
   */
  data?: string;
  label_column?: string;
}
/**
 * The columns of a table, and the problems of the typed fields.
 */
export interface SearchFormView {
  columns: string[];
  problems: FieldProblem[];
}
/**
 * The ways in which an endpoint is called; one that is left out, but HTTP, ends.
 */
export interface ServeDocumentOutput1 {
  http: HttpDocument1;
  /**
   * The files that it scores by a schedule; null: none. Paths are relative to the file.
   */
  batch: BatchSpecOutput | null;
  /**
   * The messages that it answers; null: none.
   */
  stream: StreamSpecOutput | null;
}
/**
 * The result of ``init``.
 */
export interface SetUp {
  folder: string;
  files: StartingFile[];
  trained: Trained[];
  /**
   * The validation notebooks of each model; of '' those that name none.
   */
  validating: {
    [k: string]: string[];
  };
  /**
   * What was guessed, and what is left to do by hand.
   */
  notes: string[];
  /**
   * The files are those of 'init --monitoring'.
   */
  monitoring: boolean;
  dry_run: boolean;
}
/**
 * A file of the set-up.
 *
 * ``text`` is the whole file, even if another file is there already; ``add`` is the part that the other file lacks.
 */
export interface StartingFile {
  path: string;
  state: 'written' | 'would be written' | 'unchanged' | 'kept';
  text: string;
  add: string;
}
/**
 * A notebook that trains a model, and the options of its deploy.
 *
 * ``options``: further words of ``nbdeploy deploy``, such as ``--method predict_proba``.
 */
export interface Trained {
  /**
   * Its path in the project, with '/'.
   */
  notebook: string;
  /**
   * The endpoint's.
   */
  name: string;
  /**
   * The variable.
   */
  model: string;
  example: string;
  options: string[];
  /**
   * No cell says so: seen by what is fitted.
   */
  guessed: boolean;
}
/**
 * Stop an endpoint. Records and history remain; 'nbdeploy rollback NAME' starts it again.
 */
export interface StopRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * Stopped endpoints and releases. Records remain, and history too unless the scope is ``target``.
 */
export interface Stopped {
  endpoints: string[];
  releases: string[];
  scope: 'endpoint' | 'everything' | 'target';
}
/**
 * Answer the messages of a broker by an endpoint; without options, show its stream.
 *
 * A process of its own reads the messages, in one consumer group for the endpoint: it outlives notebook and shell.
 * Each message is a request through the gateway, so canary, shadows, records and drift are those of HTTP. A message
 * is acknowledged once its answer is in the sink. A message that the model refuses becomes a dead letter.
 *
 * For example: nbdeploy stream churn --source nats://localhost:4222/rows --sink nats://localhost:4222/scores.
 * Details: docs/how-to/score-a-stream.md.
 */
export interface StreamRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * Messages to answer: nats://HOST:PORT/SUBJECT (JetStream), redis://HOST:PORT/STREAM, amqp://HOST:PORT/QUEUE (RabbitMQ), kafka://HOST:PORT/TOPIC or mqtt://HOST:PORT/TOPIC.
   */
  source?: string | null;
  /**
   * Place of the answers, with the source's form.
   */
  sink?: string | null;
  /**
   * Place of the messages that cannot be answered, with the reason (default: the sink's with .dead at its end).
   */
  dead_letters?: string | null;
  /**
   * Where the first start begins: with the next message, or with the first one that the broker has. Later starts go on where the last one ended.
   */
  begin?: 'next' | 'first';
  /**
   * Failures of the model on a message until it is given up.
   */
  attempts?: number;
  /**
   * A file whose one line is USER:PASSWORD for the broker.
   */
  credentials?: string | null;
  /**
   * End the stream; its position in the broker stays.
   */
  stop?: boolean;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * The first rows of an example as shortened texts.
 */
export interface Table {
  columns: string[];
  rows: string[][];
  words: string;
  problem: string;
  remedy: string;
}
/**
 * The tolerance of floating-point answers (labels and integers must be equal).
 */
export interface Tolerance1 {
  float32_rtol: number;
  float32_atol: number;
  float64_rtol: number;
  float64_atol: number;
}
/**
 * A change of traffic: the roles before and after.
 */
export interface TrafficChange {
  endpoint: string;
  url: string;
  revision: number;
  before: {
    [k: string]: string;
  };
  after: {
    [k: string]: string;
  };
  change: string;
  /**
   * Of the release that gains traffic; None: it had none.
   */
  validation: Validated | null;
  /**
   * The comparison's verdict on the promoted candidate.
   */
  compared: string;
}
/**
 * Set the shares of canary and shadows, the recording, and the settings of comparisons.
 *
 * 0 switches a release off; what is not named stays.
 */
export interface TrafficRequest {
  /**
   * The endpoint's name.
   */
  name: string;
  /**
   * TAG=PERCENT of the requests copied to a shadow (repeatable).
   */
  shadow?: {
    [k: string]: number;
  };
  /**
   * TAG=PERCENT of the requests answered by the canary.
   */
  canary?: {
    [k: string]: number;
  };
  /**
   * Data to record of each request: full, meta (no inputs, outputs and error messages), off.
   */
  record?: ('full' | 'meta' | 'off') | null;
  /**
   * Share of the requests to record, such as 10%; the same requests for stable and shadows.
   */
  record_sample?: number | null;
  /**
   * Comparisons take numbers as equal within this share of stable's, such as 1%; default: 1e-6.
   */
  tolerance?: number | 'default' | null;
  /**
   * Comparisons take numbers as equal within this difference, in the answers' unit; default: 1e-9.
   */
  absolute_tolerance?: number | 'default' | null;
  /**
   * Comparisons have figures by the values of this column, 'region', or by bins of it, 'age: <30, 30-60, >=60' (repeatable; replaces the present ones; none: remove all).
   */
  segment?: string[];
  /**
   * Continue although gates do not hold; needs a reason, which is stored.
   */
  force?: boolean;
  /**
   * Refuse if the endpoint is not at this revision.
   */
  if_revision?: number | null;
  /**
   * The reason; stored in the history.
   */
  reason?: string;
}
/**
 * Progress of one notebook among several: ``cell`` of ``cells`` runs (0: its kernel starts).
 *
 * ``words`` is the cell's first line; ``side`` is the release behind ``model()``.
 */
export interface Underway {
  run: number;
  title: string;
  state: 'waiting' | 'running' | 'pass' | 'fail' | 'inconclusive' | 'not run';
  cell: number;
  cells: number;
  words: string;
  side: 'candidate' | 'stable';
  seconds: number;
}
/**
 * Run validation notebooks and judge what they measured by gates.
 *
 * A validation notebook is an ordinary notebook that calls metric() and check(); model() in it is the snapshot under
 * test, answering as it will be served. The exit code is 0 when all gates hold, 1 when one fails or a notebook raises,
 * 4 when one is undecided, 138 when a kernel died.
 *
 * A gate is of a metric, "accuracy >= 0.93"; against the stable release, "accuracy >= stable - 0.01" or
 * "cost <= 1.2 * stable"; of rows enough, "accuracy >= 0.93 over 200"; of a subgroup, "accuracy[sex=F] >= 0.9".
 * Without a line of code there are latency_p95_ms (p50, p99), error_rate and, with stable's answers, agreement.
 *
 * For example: nbdeploy validate checks.ipynb --snapshot churn -p rows 200 --gate "accuracy >= stable - 0.01"
 *
 * Several at once, each with two seeds, and a page: nbdeploy validate checks/ -n 2 --matrix seed=1,2 --html report
 *
 * A first notebook: nbdeploy init. All of it: docs/validation.md.
 */
export interface ValidateRequest {
  /**
   * Notebooks, or folders of them (default: those that nbdeploy.yaml names).
   */
  notebooks?: string[];
  /**
   * KEY=VALUE, or two words KEY VALUE, for the notebook's parameters cell (repeatable).
   */
  parameter?:
    | {
        [k: string]: unknown;
      }
    | string[];
  /**
   * Parameters as a YAML text (repeatable).
   */
  parameters_yaml?: string[];
  /**
   * Parameters from a YAML file (repeatable).
   */
  parameters_file?: string[];
  /**
   * KEY=VALUE,VALUE,…: one run a value; of several keys one a combination (repeatable).
   */
  matrix?:
    | {
        [k: string]: unknown[];
      }
    | string[];
  /**
   * What must hold, such as 'accuracy >= stable - 0.01' (repeatable).
   */
  gate?: string[];
  /**
   * What model() is: a snapshot's tag, or an endpoint's name for its candidate.
   */
  snapshot?: string | null;
  /**
   * Give the notebooks this endpoint's recorded requests, by recorded().
   */
  traffic?: string | null;
  /**
   * With --traffic: only requests of the last 1h, 7d, … or since 2026-11-25T12:00.
   */
  since?: string | null;
  /**
   * The kernel's name (default: the notebook's own).
   */
  kernel?: string | null;
  /**
   * The folder that notebooks run in (default: each one's own).
   */
  cwd?: string | null;
  /**
   * So many notebooks at once.
   */
  workers?: number;
  /**
   * A cell may take 90s, 15m, … (default: any time).
   */
  timeout?: string | null;
  /**
   * After the first failure start no other notebook.
   */
  fail_fast?: boolean;
  /**
   * Only runs whose title or tags this expression is true of, such as 'price and not slow'.
   */
  select?: string | null;
  /**
   * Only what did not pass the last time; all, if all did.
   */
  last_failed?: boolean;
  /**
   * Only notebooks that changed since this git revision, or whose own modules did.
   */
  changed_since?: string | null;
  /**
   * Start each kernel from nothing, not from a process with imports.
   */
  cold?: boolean;
  /**
   * Folder for the notebooks as they ran (default: with the report, in the home).
   */
  executed?: string | null;
  /**
   * Write a JUnit XML file.
   */
  junit?: string | null;
  /**
   * Write the report into this folder too, as one HTML page.
   */
  html?: string | null;
  /**
   * Annotations and a job summary, in a GitHub workflow.
   */
  github?: boolean;
}
/**
 * One validation; ``trigger`` is the verb that asked for it, ``release`` its tag (empty: no model was asked).
 */
export interface ValidationRow {
  id: string;
  at: string;
  by: string;
  trigger: string;
  release: string;
  verdict: 'pass' | 'fail' | 'inconclusive';
}
/**
 * What was validated of an endpoint.
 */
export interface ValidationsRequest {
  /**
   * The endpoint's name.
   */
  name: string;
}
/**
 * The latest validations of an endpoint, newest first; ``charts``: one a metric that was measured twice or more.
 */
export interface ValidationsView {
  validations: ValidationRow[];
  charts: {
    [k: string]: unknown;
  }[];
}
/**
 * The checks of an image and their verdict.
 */
export interface Verified {
  /**
   * With its digest.
   */
  reference: string;
  /**
   * The tag of the snapshot in it; None: nbdeploy did not make it.
   */
  snapshot: string | null;
  labels: {
    [k: string]: string;
  };
  evidence: Evidence[];
  verdict: 'pass' | 'fail' | 'inconclusive';
}
/**
 * Check an image in a registry: its signature, and that its model is the validated one.
 *
 * The image is pulled to this machine and read, not run. The exit code is 0 if no check fails and a signature or this
 * store vouches for the image, 1 if a check fails, 4 if nothing here vouches for it.
 */
export interface VerifyRequest {
  /**
   * HOST/PATH:TAG, HOST/PATH@sha256:… or both.
   */
  image: string;
  /**
   * The signer's public key, a file such as cosign.pub.
   */
  key?: string | null;
}

/** Each verb's request. */
export interface Requests {
  deploy: DeployRequest;
  validate: ValidateRequest;
  candidates: CandidatesRequest;
  automl: AutomlRequest;
  init: InitRequest;
  list: ListRequest;
  describe: DescribeRequest;
  plan: PlanRequest;
  apply: ApplyRequest;
  traffic: TrafficRequest;
  promote: PromoteRequest;
  rollback: RollbackRequest;
  ramp: RampRequest;
  history: HistoryRequest;
  compare: CompareRequest;
  drift: DriftRequest;
  report: ReportRequest;
  explain: ExplainRequest;
  diff: DiffRequest;
  logs: LogsRequest;
  predict: PredictRequest;
  batch: BatchRequest;
  stream: StreamRequest;
  feedback: FeedbackRequest;
  reproduce: ReproduceRequest;
  publish: PublishRequest;
  verify: VerifyRequest;
  compose: ComposeRequest;
  export: ExportRequest;
  manifests: ManifestsRequest;
  images: ImagesRequest;
  gc: GcRequest;
  purge: PurgeRequest;
  label: LabelRequest;
  stop: StopRequest;
  delete: DeleteRequest;
  down: DownRequest;
  doctor: DoctorRequest;
  reconcile: ReconcileRequest;
}

/** What each verb gives. */
export interface Results {
  deploy: Deployment;
  validate: Validation;
  candidates: ModelSelection;
  automl: ModelSearchResult;
  init: SetUp;
  list: (EndpointStatus)[];
  describe: EndpointStatus;
  plan: (EndpointPlan)[];
  apply: (EndpointPlan)[];
  traffic: TrafficChange;
  promote: TrafficChange;
  rollback: TrafficChange;
  ramp: RampStatus;
  history: (Revision)[];
  compare: Comparison;
  drift: Drift;
  report: MonitorReport;
  explain: Explanation;
  diff: Difference;
  logs: Exported | (Record)[];
  predict: Prediction;
  batch: Batch | BatchStatus;
  stream: StreamStatus;
  feedback: Feedback;
  reproduce: Reproduction;
  publish: Published;
  verify: Verified;
  compose: Composed;
  export: ModelExport;
  manifests: Manifests;
  images: ImageList;
  gc: Collected;
  purge: Purged;
  label: Labelled;
  stop: Stopped;
  delete: Deleted;
  down: Stopped;
  doctor: Diagnosis;
  reconcile: (Reconciled)[] | AtBoot;
}

/** What each view is asked with, and the document that it gives. */
export interface Views {
  endpoints: { request: EndpointsRequest; document: EndpointsView };
  health: { request: HealthRequest; document: HealthView };
  endpoint: { request: EndpointRequest; document: EndpointView };
  preview: { request: PreviewRequest; document: Preview };
  form: { request: FormRequest; document: FormView };
  comparison: { request: CompareRequest; document: ComparisonView };
  validations: { request: ValidationsRequest; document: ValidationsView };
  live: { request: LiveRequest; document: LiveView };
  monitor: { request: MonitorRequest; document: MonitorView };
  performance: { request: MonitorRequest; document: PerformanceView };
  records: { request: RecordsRequest; document: RecordsView };
  record: { request: RecordRequest; document: RecordView };
  release_log: { request: ReleaseLogRequest; document: ReleaseLogView };
  candidates: { request: CandidatesViewRequest; document: CandidatesView };
  drawing: { request: DrawingRequest; document: DrawingView };
  publish_form: { request: PublishFormRequest; document: PublishFormView };
  search_form: { request: SearchFormRequest; document: SearchFormView };
  deploy_problems: { request: DeployProblemsRequest; document: DeployProblemsView };
  r_kernel: { request: RKernelRequest; document: RKernelView };
  result_page: { request: ResultPageRequest; document: ResultPageView };
  notebook_context: { request: NotebookContextRequest; document: NotebookContextView };
}

export type Verb = keyof Requests;

/** The verbs in their order. A slow one is a job; a destructive one stops or removes something. */
export const VERBS: {
  readonly [verb in Verb]: { summary: string; slow: boolean; destructive: boolean };
} = {
  deploy: { summary: "Capture a model, prove it in a clean process, and release it behind an endpoint.", slow: true, destructive: false },
  validate: { summary: "Run validation notebooks and judge what they measured by gates.", slow: true, destructive: false },
  candidates: { summary: "Choose among models of a notebook: measure each one, natively and translated, and show one table.", slow: true, destructive: false },
  automl: { summary: "Find models for a table: search, write a notebook that trains the best ones, and show them as candidates.", slow: true, destructive: false },
  init: { summary: "Write what a project needs to have its models validated: in GitHub's CI, at each commit, and by hand.", slow: false, destructive: false },
  list: { summary: "All endpoints.", slow: false, destructive: false },
  describe: { summary: "One endpoint: its URL, releases, roles, health and revision.", slow: false, destructive: false },
  plan: { summary: "Show the changes that 'apply FILE' makes: nothing is changed.", slow: true, destructive: false },
  apply: { summary: "Make endpoints as a YAML file says; 'nbdeploy plan FILE' shows the changes first.", slow: true, destructive: false },
  traffic: { summary: "Set the shares of canary and shadows, the recording, and the settings of comparisons.", slow: true, destructive: false },
  promote: { summary: "Make the candidate stable, at once and without losing a request.", slow: true, destructive: false },
  rollback: { summary: "Restore the releases, traffic and recording of the previous revision, or of a named one.", slow: true, destructive: false },
  ramp: { summary: "Give a canary more and more of the requests, advanced and rolled back by evidence; without options, show it.", slow: true, destructive: false },
  history: { summary: "Show the endpoint's revisions: author, time, reason and change.", slow: false, destructive: false },
  compare: { summary: "Compare a candidate with stable: a shadow paired on the same requests, a canary unpaired.", slow: false, destructive: false },
  drift: { summary: "Show the drift of a release's inputs and answers against its training data.", slow: false, destructive: false },
  report: { summary: "Write a report of an endpoint: requests, latencies, answers, drift and alarms in a range of time.", slow: true, destructive: false },
  explain: { summary: "Explain an answer: the contribution of each feature, by stable and its candidates.", slow: true, destructive: false },
  diff: { summary: "Show the changes between two models: cells, code, hyperparameters, features, data, versions, answers.", slow: true, destructive: false },
  logs: { summary: "Show the endpoint's records, oldest first.", slow: false, destructive: false },
  predict: { summary: "Call the endpoint through its gateway.", slow: false, destructive: false },
  batch: { summary: "Answer the rows of files by a release, once or with --schedule again and again.", slow: true, destructive: false },
  stream: { summary: "Answer the messages of a broker by an endpoint; without options, show its stream.", slow: true, destructive: false },
  feedback: { summary: "Send ground truth to an endpoint, and show the share that could be joined with its answers.", slow: true, destructive: false },
  reproduce: { summary: "Run a snapshot's notebook again in a clean environment, and compare the new model with the snapshot.", slow: true, destructive: false },
  publish: { summary: "Build a container image of a release, push it to a registry and record its digest.", slow: true, destructive: false },
  verify: { summary: "Check an image in a registry: its signature, and that its model is the validated one.", slow: true, destructive: false },
  compose: { summary: "Write an endpoint as a Compose file: its releases from their published images, and a gateway.", slow: true, destructive: false },
  export: { summary: "Write a translated release as files for other languages: graph, manifest, conformance data set, clients.", slow: true, destructive: false },
  manifests: { summary: "Show the objects of the target kubernetes: an endpoint's workloads, or with --rbac those of an administrator.", slow: false, destructive: false },
  images: { summary: "List the images of this machine's store and the published ones, with their uses.", slow: false, destructive: false },
  gc: { summary: "Remove unused images from this machine's store, and unused snapshots of deleted endpoints.", slow: true, destructive: true },
  purge: { summary: "Remove records permanently, from JSON lines, Parquet and the gateway's ledger, with their feedback.", slow: true, destructive: true },
  label: { summary: "Name a release in your own words; every command takes the label in place of the tag.", slow: false, destructive: false },
  stop: { summary: "Stop an endpoint. Records and history remain; 'nbdeploy rollback NAME' starts it again.", slow: true, destructive: true },
  delete: { summary: "Delete an endpoint permanently, with its history, validations, records and feedback.", slow: true, destructive: true },
  down: { summary: "Stop all processes: workers, gateway and supervisor. 'nbdeploy reconcile' starts them again.", slow: true, destructive: true },
  doctor: { summary: "Check nbdeploy's own parts: disk, clock, store, records, supervisor, gateway, releases.", slow: true, destructive: false },
  reconcile: { summary: "Restore the desired state: after a crash, a kill or a reboot.", slow: true, destructive: false },
};

/** The verbs' labels. */
export function labelsOf(trans: { __(text: string): string }): { readonly [verb in Verb]: string } {
  return {
    deploy: trans.__("Deploy Model…"),
    validate: trans.__("Validate…"),
    candidates: trans.__("Compare Candidates…"),
    automl: trans.__("Find a Model…"),
    init: trans.__("Set Up Validation in CI…"),
    list: trans.__("List Endpoints"),
    describe: trans.__("Describe Endpoint…"),
    plan: trans.__("Plan Endpoints of a File…"),
    apply: trans.__("Apply Endpoints of a File…"),
    traffic: trans.__("Change Traffic…"),
    promote: trans.__("Promote Candidate…"),
    rollback: trans.__("Roll Back…"),
    ramp: trans.__("Ramp a Canary…"),
    history: trans.__("Show History…"),
    compare: trans.__("Compare Candidate with Stable…"),
    drift: trans.__("Show Drift…"),
    report: trans.__("Write a Report…"),
    explain: trans.__("Explain an Answer…"),
    diff: trans.__("Compare Two Models…"),
    logs: trans.__("Show Records…"),
    predict: trans.__("Try an Endpoint…"),
    batch: trans.__("Score Files…"),
    stream: trans.__("Answer a Stream…"),
    feedback: trans.__("Send Feedback…"),
    reproduce: trans.__("Reproduce a Snapshot…"),
    publish: trans.__("Publish…"),
    verify: trans.__("Verify an Image…"),
    compose: trans.__("Write a Compose File…"),
    export: trans.__("Export for Other Languages…"),
    manifests: trans.__("Show Kubernetes Manifests…"),
    images: trans.__("List Images…"),
    gc: trans.__("Remove Unused Images…"),
    purge: trans.__("Purge Records…"),
    label: trans.__("Label Release…"),
    stop: trans.__("Stop Endpoint…"),
    delete: trans.__("Delete Endpoint…"),
    down: trans.__("Stop Everything…"),
    doctor: trans.__("Check nbdeploy's Health…"),
    reconcile: trans.__("Reconcile…"),
  };
}

/** nbdeploy's own. */
export const VERSION = "0.1.0";
