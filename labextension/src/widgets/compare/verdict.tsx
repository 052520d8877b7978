/** The verdict: a word, the recommendation, the reason, and the time until there is one. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ComparisonView, Phase } from '../../generated';
import { inForms } from '../../namedCommands';
import { clock, roleName, short } from '../../words';
import { CommandButtons } from '../ui/parts';
import { useServices } from '../ui/services';

/** A shape and a word, so that the colour repeats the meaning. */
const MARKS: Record<ComparisonView['verdict'], string> = {
  agrees: '●',
  differs: '▲',
  inconclusive: '○'
};

function verdictWord(trans: TranslationBundle, verdict: ComparisonView['verdict']): string {
  return {
    agrees: trans.__('Agrees'),
    differs: trans.__('Differs'),
    inconclusive: trans.__('Inconclusive')
  }[verdict];
}

export function VerdictWord(props: { verdict: ComparisonView['verdict'] }): React.JSX.Element {
  const { trans } = useServices();
  return (
    <strong className="nbd-VerdictWord" data-verdict={props.verdict}>
      <span aria-hidden="true">{MARKS[props.verdict]}</span> {verdictWord(trans, props.verdict)}
    </strong>
  );
}

export function Verdict({ shown }: { shown: ComparisonView }): React.JSX.Element {
  const { trans } = useServices();
  const facts = [
    trans.__('%1 (%2) against %3', short(shown.candidate), shown.role, short(shown.stable)),
    shown.paired ? trans._n('%1 pair', '%1 pairs', shown.pairs) : trans.__('unpaired'),
    shown.since ? trans.__('since %1', clock(shown.since)) : ''
  ];
  return (
    <section className="nbd-Summary" data-verdict={shown.verdict} aria-label={trans.__('Verdict')}>
      <h3>
        <VerdictWord verdict={shown.verdict} />
        <span className="nbd-Recommended">{inForms(shown.recommended)}</span>
      </h3>
      <CommandButtons text={shown.recommended} />
      <p className="nbd-Verdict" data-verdict={shown.verdict}>
        {inForms(shown.reason)}
      </p>
      {shown.forecast && (
        <p>
          <span className="nbd-faint">{trans.__('How long still:')}</span> {shown.forecast}
        </p>
      )}
      <p className="nbd-faint">{facts.filter(Boolean).join(' · ')}</p>
      {shown.phases.slice(0, -1).map(phase => (
        <Earlier key={phase.role} phase={phase} />
      ))}
    </section>
  );
}

/** The evidence of an earlier role, which a change of the role does not remove. */
function Earlier({ phase }: { phase: Phase }): React.JSX.Element {
  const { trans } = useServices();
  return (
    <div className="nbd-Earlier">
      <p>
        <strong>{trans.__('Before, as the %1:', roleName(trans, phase.role))}</strong>{' '}
        <VerdictWord verdict={phase.verdict} /> {inForms(phase.reason)}
      </p>
      <p className="nbd-faint">
        {trans.__('%1 to %2', clock(phase.first), clock(phase.last))} ·{' '}
        {phase.paired
          ? trans._n('%1 pair', '%1 pairs', phase.pairs)
          : trans._n('%1 request', '%1 requests', phase.requests)}
      </p>
    </div>
  );
}
