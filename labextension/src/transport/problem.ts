/** An error as widgets show it: the message, the remedy, and the actions that solve it. */
import type { Job } from '../generated';
import { installCommand } from '../install';
import { type ProblemError, toProblemError } from './request';

export interface Problem {
  readonly message: string;
  readonly remedy: string;
  readonly details: string;
  /** Further lines, such as gates that failed. */
  readonly lines: readonly string[];
  /** Gates refused the operation: the user can override them with a reason. */
  readonly gates: boolean;
  /** The job that has the report of the failed validation; empty: no report. */
  readonly report: string;
  /** The source of a cell that solves the problem; empty: none. */
  readonly cell: string;
  /** A new log-in solves the problem. */
  readonly logIn: boolean;
}

const EMPTY: Problem = {
  message: '',
  remedy: '',
  details: '',
  lines: [],
  gates: false,
  report: '',
  cell: '',
  logIn: false
};

/** An error of any kind as a problem. */
export function problemOf(error: unknown): Problem {
  const { code, message, problem } = toProblemError(error);
  return {
    ...EMPTY,
    ...reasons(problem),
    message,
    cell: code === 'no_nbdeploy' || code === 'other_version' ? installCommand() : '',
    logIn: code === 'not_signed_in'
  };
}

/** The problem of a job that failed or was cancelled. */
export function problemOfJob({ id, state, problem }: Job): Problem {
  if (!problem) return { ...EMPTY, message: state };
  const message = problem.detail || problem.title;
  return { ...EMPTY, ...reasons(problem), message, report: problem.report ? id : '' };
}

/** Whether gates refused the operation: a user can override them with a reason. */
export function isGateRefusal(code: string): boolean {
  return code === 'gate_failed' || code === 'gate_inconclusive';
}

function reasons({
  code,
  remedy,
  details,
  errors
}: ProblemError['problem']): Pick<Problem, 'remedy' | 'details' | 'lines' | 'gates'> {
  return { remedy, details, lines: errors.map(one => String(one.msg)), gates: isGateRefusal(code) };
}
