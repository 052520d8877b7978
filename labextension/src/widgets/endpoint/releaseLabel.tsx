/** The heading of a release: its label before the version, and the form that changes the label. */
import * as React from 'react';

import type { ReleaseCard } from '../../generated';
import { problemOf } from '../../transport/problem';
import { short, version } from '../../words';
import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

export function ReleaseLabel(props: {
  id: string;
  card: ReleaseCard;
  endpoint: string;
}): React.JSX.Element {
  const { id, card, endpoint } = props;
  const { trans } = useServices();
  const [editing, setEditing] = React.useState(false);
  const pencil = React.useRef<HTMLButtonElement>(null);
  const [name = ''] = card.tag.split(':');
  if (editing) {
    return (
      <LabelForm
        {...props}
        onDone={() => {
          setEditing(false);
          requestAnimationFrame(() => pencil.current?.focus());
        }}
      />
    );
  }
  return (
    <h3 title={card.tag}>
      <span id={id} className="nbd-Card-name">
        {card.label && <span className="nbd-cut">{card.label}</span>}
        <span className={card.label ? 'nbd-faint' : undefined}>{version(card.tag)}</span>
        {name !== endpoint && <span className="nbd-faint nbd-cut">{name}</span>}
      </span>
      <button
        ref={pencil}
        type="button"
        className="nbd-link"
        title={trans.__('Give this release a name of your own')}
        aria-label={trans.__('Label %1', short(card.tag))}
        onClick={() => {
          setEditing(true);
        }}
      >
        ✎
      </button>
    </h3>
  );
}

/** At most as long as the verb allows; empty: no label. */
const LONGEST = 60;

function LabelForm(props: {
  id: string;
  card: ReleaseCard;
  endpoint: string;
  onDone: () => void;
}): React.JSX.Element {
  const { id, card, endpoint, onDone } = props;
  const { trans, call, say } = useServices();
  const [text, setText] = React.useState(card.label);
  const [problem, setProblem] = React.useState('');
  const [sending, setSending] = React.useState(false);
  const input = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => input.current?.select(), []);
  const save = async (): Promise<void> => {
    setSending(true);
    try {
      await call('label', { name: endpoint, release: card.tag, label: text.trim() });
      say(trans.__('The label is changed'));
      onDone();
    } catch (error) {
      setProblem(problemOf(error).message);
      setSending(false);
    }
  };
  return (
    <form
      id={id}
      className="nbd-Label"
      aria-label={trans.__('Label of %1', short(card.tag))}
      onSubmit={event => {
        event.preventDefault();
        if (!sending) void save();
      }}
    >
      <input
        ref={input}
        type="text"
        maxLength={LONGEST}
        value={text}
        aria-label={trans.__('Label')}
        placeholder={trans.__('such as wider trees')}
        onKeyDown={event => {
          if (event.key !== 'Escape') return;
          event.stopPropagation();
          onDone();
        }}
        onChange={event => {
          setText(event.target.value);
        }}
      />
      <Button type="submit" look="primary" disabled={sending}>
        {trans.__('Save')}
      </Button>
      <Button look="quiet" onClick={onDone}>
        {trans.__('Cancel')}
      </Button>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
}
