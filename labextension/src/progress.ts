import type { Job, JobEvent, Leaderboard, Underway } from './generated';

/** A step that a job has begun. */
export interface Step {
  number: number;
  total: number;
  title: string;
  at: string;
  /** The best scores of a search so far; each event with them replaces the one before. */
  board?: Leaderboard;
}

/** One run of a validation notebook: its latest state, and that of the run against stable. */
export interface Run {
  latest: Underway;
  stable?: Underway;
}

/** The progress of one job, from its events. */
export interface Progress {
  steps: readonly Step[];
  runs: readonly Run[];
  log: readonly string[];
}

export const noProgress: Progress = { steps: [], runs: [], log: [] };

/** A browser shows so many lines of a log well; the whole is in the job. */
export const LOG_LINES = 2000;

/** The progress after one more event. */
export function withEvent(progress: Progress, event: JobEvent): Progress {
  switch (event.kind) {
    case 'step': {
      const step = { ...(event.data as unknown as Omit<Step, 'at'>), at: event.at };
      const last = progress.steps.at(-1);
      if (last?.number === step.number && step.board) {
        const now = { ...step, at: last.at };
        return { ...progress, steps: [...progress.steps.slice(0, -1), now] };
      }
      return last?.number === step.number && last.title === step.title
        ? progress
        : { ...progress, steps: [...progress.steps, step] };
    }
    case 'underway':
      return { ...progress, runs: withRun(progress.runs, event.data as unknown as Underway) };
    case 'log': {
      const lines = textOf(event).split('\n');
      if (lines.at(-1) === '') lines.pop();
      return { ...progress, log: [...progress.log, ...lines].slice(-LOG_LINES) };
    }
    case 'state':
      return progress;
  }
}

function withRun(runs: readonly Run[], latest: Underway): Run[] {
  const known = runs.find(run => run.latest.run === latest.run);
  const ofStable = latest.side === 'stable' && latest.state === 'running';
  const run: Run = known
    ? ofStable
      ? { ...known, stable: latest }
      : { ...known, latest }
    : { latest };
  return [...runs.filter(other => other.latest.run !== latest.run), run].sort(
    (one, other) => one.latest.run - other.latest.run
  );
}

function textOf(event: JobEvent): string {
  return typeof event.data.text === 'string' ? event.data.text : '';
}

/** How many of its cells a run has begun, from 0 to 1. */
export function share(run: Run): number {
  if (run.latest.state === 'not run') return 0;
  if (run.latest.state !== 'running' && run.latest.state !== 'waiting') return 1;
  const sides = run.stable ? [run.latest, run.stable] : [run.latest];
  const cells = sides.reduce((sum, side) => sum + side.cells, 0);
  return cells ? sides.reduce((sum, side) => sum + side.cell, 0) / cells : 0;
}

/** `1:05`, `2:00:07`: how long a job has been going on, or went on. */
export function elapsed(job: Pick<Job, 'created_at' | 'ended_at'>, now: number): string {
  const end = job.ended_at ? Date.parse(job.ended_at) : now;
  const seconds = Math.max(0, Math.floor((end - Date.parse(job.created_at)) / 1000));
  const [hours, minutes, rest] = [
    Math.floor(seconds / 3600),
    Math.floor(seconds / 60) % 60,
    seconds % 60
  ];
  const two = (value: number): string => String(value).padStart(2, '0');
  const parts = hours ? [String(hours), two(minutes)] : [String(minutes)];
  return [...parts, two(rest)].join(':');
}
