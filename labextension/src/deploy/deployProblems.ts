import type { TranslationBundle } from '@jupyterlab/translation';

import type { FieldProblem, Finding } from '../generated';
import type { DeployState } from './deployModel';
import { percentProblems } from './deployValues';

/** The known problems that prevent the deploy, each with its field. */
export function openProblems(state: DeployState): FieldProblem[] {
  return [
    ...valueProblems(state),
    ...state.fieldProblems.filter(problem => refuses(problem, state))
  ];
}

/** The problems that follow from the values alone. */
function valueProblems(state: DeployState): FieldProblem[] {
  const { values, preview } = state;
  const problems = percentProblems(values.role, values.percent);
  if (preview?.problem && !state.fieldProblems.some(problem => problem.field === 'example')) {
    problems.push({
      field: 'example',
      message: preview.problem,
      remedy: preview.remedy,
      finding: null
    });
  }
  if (values.waive.length && !values.reason.trim()) {
    problems.push({
      field: 'reason',
      message: 'a waived check needs a reason',
      remedy: 'enter a reason; it is stored',
      finding: null
    });
  }
  return problems;
}

/**
 * A finding refuses the deploy if it is an error (with `strict` also a warning) and is not waived.
 */
function refuses(problem: FieldProblem, { values }: DeployState): boolean {
  const finding = findingOf(problem);
  if (!finding) return true;
  if (values.waive.includes(finding.check)) return false;
  return finding.severity === 'error' || (values.strict && finding.severity === 'warning');
}

export function findingOf(problem: FieldProblem): Finding | null {
  return (problem.finding as Finding | null | undefined) ?? null;
}

/** The reason why the deploy is not possible now; empty: it is possible. */
export function blockingReason(state: DeployState, trans: TranslationBundle): string {
  const { kernel, report, context, values, submitting } = state;
  if (submitting) return trans.__('Sending the request…');
  if (kernel.kind === 'dead' || kernel.kind === 'none') {
    return trans.__('No kernel holds a model.');
  }
  if (!report || !context) return trans.__('The kernel has not answered yet.');
  if (!values.model.trim()) return trans.__('Choose a model first.');
  if (!values.name.trim()) return trans.__('Enter a name for the endpoint.');
  const problems = openProblems(state);
  const findings = problems.filter(problem => findingOf(problem));
  if (findings.length && findings.length === problems.length) {
    return trans._n(
      'A check refuses the deploy: fix the finding, or waive the check with a reason.',
      '%1 checks refuse the deploy: fix the findings, or waive the checks with a reason.',
      findings.length
    );
  }
  if (problems.length) return trans.__('Fix the marked fields first.');
  return '';
}
