/** The ramp of an endpoint: its step, why it holds, and the buttons that people have. */
import * as React from 'react';

import type { RampView } from '../../generated';
import { type Problem, problemOf, problemOfJob } from '../../transport/problem';
import { short } from '../../words';
import { Button, Notice } from '../ui/parts';
import { useServices } from '../ui/services';

type Command = 'pause' | 'resume' | 'abort';

export function Ramp(props: { ramp: RampView | null; endpoint: string }): React.JSX.Element | null {
  const { ramp, endpoint } = props;
  const { trans, job, say } = useServices();
  const [busy, setBusy] = React.useState(false);
  const [asking, setAsking] = React.useState(false);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  if (!ramp) return null;
  const run = async (command: Command): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const ended = await job('ramp', { name: endpoint, [command]: true });
      if (ended.state === 'done') say(trans.__('The ramp is changed'));
      else setProblem(problemOfJob(ended));
    } catch (error) {
      setProblem(problemOf(error));
    }
    setBusy(false);
    setAsking(false);
  };
  const button = (command: Command, words: string): React.JSX.Element => (
    <Button disabled={busy} onClick={() => void run(command)}>
      {words}
    </Button>
  );
  return (
    <section
      className="nbd-Ramp"
      data-ended={ramp.ended}
      aria-label={trans.__('Ramp of %1', short(ramp.candidate))}
      aria-busy={busy}
    >
      <p title={ramp.evidence.join('\n')}>
        {trans.__('Ramp of %1: %2', short(ramp.candidate), ramp.words)}
      </p>
      {!ramp.ended && !asking && (
        <div className="nbd-row">
          {ramp.paused
            ? button('resume', trans.__('Resume the ramp'))
            : button('pause', trans.__('Pause the ramp'))}
          <Button
            disabled={busy}
            onClick={() => {
              setAsking(true);
            }}
          >
            {trans.__('Abort the ramp…')}
          </Button>
        </div>
      )}
      {!ramp.ended && asking && (
        <div className="nbd-row nbd-mod-wrap">
          <span>{trans.__('%1 answers no clients any more.', short(ramp.candidate))}</span>
          {button('abort', trans.__('Abort'))}
          <Button
            disabled={busy}
            onClick={() => {
              setAsking(false);
            }}
          >
            {trans.__('Keep the ramp')}
          </Button>
        </div>
      )}
      {problem && <Notice problem={problem} />}
    </section>
  );
}
