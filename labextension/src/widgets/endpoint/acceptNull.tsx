/** Widens what an endpoint accepts: a release of the same snapshot that takes null in a column. */
import * as React from 'react';

import type { Deployment } from '../../generated';
import { problemOf, problemOfJob } from '../../transport/problem';
import { short } from '../../words';
import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

export function AcceptNull(props: {
  name: string;
  release: string;
  column: string;
}): React.JSX.Element {
  const { name, release, column } = props;
  const { trans, job } = useServices();
  const [words, setWords] = React.useState('');
  const [working, setWorking] = React.useState(false);
  const widen = async (): Promise<void> => {
    setWorking(true);
    setWords(trans.__('The model is tested with null in %1 …', column));
    try {
      const label = trans.__('null in %1', column).slice(0, 60);
      const ended = await job('deploy', { source: release, name, nullable: [column], label });
      if (ended.state === 'done') {
        const { release: added, role } = ended.result as Deployment;
        setWords(
          role === 'stable'
            ? trans.__('%1 accepts it.', short(added))
            : trans.__('%1 accepts it, as a %2: promote it under Releases.', short(added), role)
        );
      } else {
        const { message, remedy } = problemOfJob(ended);
        setWords([message, remedy].filter(Boolean).join('; '));
      }
    } catch (error) {
      setWords(problemOf(error).message);
    } finally {
      setWorking(false);
    }
  };
  return (
    <>
      <Button
        title={trans.__('Deploys the same model once more, for requests with null too')}
        aria-disabled={working}
        onClick={() => {
          if (!working) void widen();
        }}
      >
        {trans.__('Accept null in %1', column)}
      </Button>{' '}
      <span role="status" className="nbd-breaks">
        {words}
      </span>
    </>
  );
}
