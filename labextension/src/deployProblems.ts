import type { TranslationBundle } from '@jupyterlab/translation';

import type { DeployState } from './deployModel';
import type { FieldProblem, Finding } from './generated';

/** What stands against the deploy, as far as it is known; each at its field. */
export function openProblems(state: DeployState): FieldProblem[] {
  return [
    ...valueProblems(state),
    ...state.fieldProblems.filter(problem => refuses(problem, state))
  ];
}

/** What can be said of the fields by themselves. */
function valueProblems(state: DeployState): FieldProblem[] {
  const { values, preview } = state;
  const problems: FieldProblem[] = [];
  const percent = values.percent.trim();
  if (values.role !== 'stable' && percent) {
    const share = Number(percent);
    if (!(share > 0 && share <= 100)) {
      problems.push({
        field: 'percent',
        message: `${percent} is not a share`,
        remedy: 'give a number above 0 and up to 100',
        finding: null
      });
    }
  }
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
      message: 'what is let pass needs a reason, which is kept',
      remedy: '',
      finding: null
    });
  }
  return problems;
}

/** A finding refuses when it is an error (with `strict` a warning too) and is not let pass. */
function refuses(problem: FieldProblem, { values }: DeployState): boolean {
  const finding = findingOf(problem);
  if (!finding) return true;
  if (values.waive.includes(finding.check)) return false;
  return finding.severity === 'error' || (values.strict && finding.severity === 'warning');
}

export function findingOf(problem: FieldProblem): Finding | null {
  return (problem.finding as Finding | null | undefined) ?? null;
}

/** Why it cannot be deployed now; empty: it can. */
export function blockingReason(state: DeployState, trans: TranslationBundle): string {
  const { kernel, report, context, values, submitting } = state;
  if (submitting) return trans.__('It is being asked for…');
  if (kernel.kind === 'dead' || kernel.kind === 'none') {
    return trans.__('There is no kernel that holds a model.');
  }
  if (!report || !context) return trans.__('The kernel has not answered yet.');
  if (!values.model.trim()) return trans.__('Choose a model first.');
  if (!values.name.trim()) return trans.__('The endpoint needs a name.');
  const problems = openProblems(state);
  const findings = problems.filter(problem => findingOf(problem));
  if (findings.length && findings.length === problems.length) {
    return trans._n(
      'A check found what speaks against it: mend it, or let it pass for a reason.',
      '%1 checks found what speaks against it: mend it, or let it pass for a reason.',
      findings.length
    );
  }
  if (problems.length) return trans.__('Mend what is marked first.');
  return '';
}
