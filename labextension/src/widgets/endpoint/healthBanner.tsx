/** The parts of nbdeploy itself that are broken, as `doctor` finds them, with a button that mends them. */
import * as React from 'react';

import type { HealthView } from '../../generated';
import { problemOf, problemOfJob } from '../../transport/problem';
import { useLoaded, useVisible } from '../ui/hooks';
import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

const EVERY_MS = 60_000;

export function HealthBanner(): React.JSX.Element {
  const { trans, view, job } = useServices();
  const root = React.useRef<HTMLDivElement>(null);
  const visible = useVisible(root);
  const loaded = useLoaded<HealthView>('health', async signal => view('health', {}, signal), {
    everyMs: EVERY_MS,
    active: visible
  });
  const [words, setWords] = React.useState('');
  const [mending, setMending] = React.useState(false);
  const mend = async (): Promise<void> => {
    setMending(true);
    setWords('');
    try {
      const ended = await job('doctor', { mend: true });
      if (ended.state !== 'done') {
        const { message, remedy } = problemOfJob(ended);
        setWords([message, remedy].filter(Boolean).join('; '));
      }
    } catch (error) {
      setWords(problemOf(error).message);
    } finally {
      setMending(false);
      loaded.reload();
    }
  };
  // A failure to ask is the banner's above: the server does not answer.
  const broken = loaded.value?.broken ?? [];
  return (
    <div ref={root} className="nbd-Health-banner" role="status">
      {broken.length > 0 && (
        <div className="nbd-Banner">
          <span>
            <strong>{trans.__('Parts of nbdeploy do not work.')}</strong>{' '}
            {broken.map(one => `${one.part}: ${one.message}`).join('; ')}
          </span>
          <Button
            title={trans.__('Restarts what should run; deletes nothing')}
            aria-disabled={mending}
            onClick={() => {
              if (!mending) void mend();
            }}
          >
            {mending ? trans.__('Mending…') : trans.__('Mend')}
          </Button>
          {words && <span>{words}</span>}
        </div>
      )}
    </div>
  );
}
