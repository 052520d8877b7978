import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';

import type { EndpointRow } from '../src/generated';
import { EndpointList } from '../src/widgets/endpoint/endpointList';
import { shown } from './sidebarWorld';

function row(name: string, given: Partial<EndpointRow> = {}): EndpointRow {
  return {
    name,
    url: `http://127.0.0.1/${name}`,
    revision: 1,
    running: true,
    healthy: true,
    words: 'healthy',
    stable: `${name}:aaaaaaaa`,
    candidates: 0,
    rate: null,
    changed_at: null,
    ...given
  };
}

function Endpoints(props: {
  rows: EndpointRow[];
  onOpen?: (name: string) => void;
}): React.JSX.Element {
  const [filter, setFilter] = React.useState('');
  return (
    <EndpointList
      endpoints={props.rows}
      stale={false}
      home="/home/ana/.nbdeploy"
      filter={filter}
      onFilter={setFilter}
      onOpen={props.onOpen ?? vi.fn()}
    />
  );
}

describe('the list of endpoints', () => {
  it('draws a few of five hundred', () => {
    const rows = Array.from({ length: 500 }, (_, i) => row(`e${String(i)}`));
    shown(<Endpoints rows={rows} />);
    const drawn = screen.getAllByRole('option');
    expect(drawn.length).toBeGreaterThan(5);
    expect(drawn.length).toBeLessThan(40);
    expect(drawn[0]).toHaveAttribute('aria-setsize', '500');
  });

  it('is empty with a way to go on', async () => {
    const deploy = vi.fn();
    shown(<Endpoints rows={[]} />, { deploy });
    await userEvent.click(screen.getByRole('button', { name: 'Deploy…' }));
    expect(deploy).toHaveBeenCalled();
    expect(screen.getByText(/home\/ana/)).toBeInTheDocument();
  });

  it('is filtered by name and by state, and reports that none fits', async () => {
    const rows = [row('churn'), row('tumour', { healthy: false, words: 'a release is down' })];
    shown(<Endpoints rows={rows} />);
    const filter = screen.getByRole('searchbox', { name: 'Filter the endpoints' });
    await userEvent.type(filter, 'DOWN');
    expect(screen.getAllByRole('option')).toHaveLength(1);
    await userEvent.type(filter, 'x');
    await userEvent.click(screen.getByRole('button', { name: 'Show all' }));
    expect(screen.getAllByRole('option')).toHaveLength(2);
  });

  it('is walked and opened by the keyboard', async () => {
    const onOpen = vi.fn();
    shown(<Endpoints rows={[row('a'), row('b'), row('c')]} onOpen={onOpen} />);
    await userEvent.tab();
    await userEvent.keyboard('{ArrowDown}');
    expect(screen.getByRole('listbox')).toHaveFocus();
    await userEvent.keyboard('{ArrowDown}{End}{ArrowUp}{Enter}');
    expect(onOpen).toHaveBeenCalledWith('b');
  });

  it('shows names as text', () => {
    shown(<Endpoints rows={[row('x', { words: '<img src=x onerror=alert(1)>' })]} />);
    expect(screen.getByText(/<img src=x/)).toBeInTheDocument();
    expect(document.querySelector('img')).toBeNull();
  });
});
