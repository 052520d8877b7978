import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';

import type { ReleaseLogView } from '../src/generated';
import { Logs } from '../src/widgets/endpoint/logs';
import { ReleaseLabel } from '../src/widgets/endpoint/releaseLabel';
import { Usage } from '../src/widgets/endpoint/usage';
import { ExportRecords } from '../src/widgets/records/exportRecords';
import { card, endpoint, SHADOW, shown } from './sidebarWorld';

function Held(): React.JSX.Element {
  const [release, setRelease] = React.useState('');
  return <Logs view={endpoint()} release={release} onRelease={setRelease} />;
}

describe('the log of a release', () => {
  it('is that of stable, then of the chosen release, with a text', async () => {
    const view = vi.fn(async (_: string, request: Record<string, unknown>) =>
      Promise.resolve({
        release: String(request.release),
        lines: request.text ? [] : ['loading', '<b>ready</b>'],
        cut: false,
        note: request.text ? 'no line has this text' : ''
      } satisfies ReleaseLogView)
    );
    shown(<Held />, { view: view as never });
    expect(await screen.findByText(/<b>ready<\/b>/)).toBeInTheDocument();
    expect(view.mock.calls[0]?.[1]).toMatchObject({ name: 'clf', release: 'clf:aaaaaaaabbbb' });
    await userEvent.selectOptions(screen.getByLabelText('Release'), SHADOW.tag);
    await waitFor(() => {
      expect(view.mock.calls.at(-1)?.[1]).toMatchObject({ release: SHADOW.tag });
    });
    await userEvent.type(screen.getByRole('searchbox'), 'KeyError');
    expect(await screen.findByText(/no line has this text/)).toBeInTheDocument();
  });
});

describe('an export', () => {
  it('writes a new file by role and status, and downloads it', async () => {
    const call = vi.fn().mockResolvedValue({ file: '/w/clf.csv', rows: 12, bytes: 3400 });
    const fetchFile = vi.fn();
    shown(<ExportRecords name="clf" filters={{ role: 'shadow' }} />, { call, fetchFile });
    await userEvent.selectOptions(screen.getByLabelText('Format of the export'), 'parquet');
    await userEvent.click(screen.getByRole('button', { name: 'Export' }));
    expect(await screen.findByText('12 rows, 3.4 kB: /w/clf.csv')).toBeInTheDocument();
    const request = call.mock.calls[0]?.[1] as Record<string, unknown>;
    expect(request).toMatchObject({ name: 'clf', role: 'shadow' });
    expect(request.export).toMatch(/^clf-records-\d{8}-\d{6}\.parquet$/);
    expect(fetchFile).toHaveBeenCalledWith('/w/clf.csv');
    call.mockRejectedValueOnce(new Error('the disk is full'));
    await userEvent.click(screen.getByRole('button', { name: 'Export' }));
    expect(await screen.findByText('the disk is full')).toBeInTheDocument();
  });
});

describe('a release', () => {
  it('gets a label in place, and keeps it if the server refuses', async () => {
    const call = vi.fn();
    call.mockRejectedValueOnce(new Error('the label is taken')).mockResolvedValue({});
    const say = vi.fn();
    shown(<ReleaseLabel id="x" card={card({ label: 'old' })} endpoint="clf" />, { call, say });
    expect(screen.getByRole('heading', { level: 3 })).toHaveTextContent('oldaaaaaaaa');
    await userEvent.click(screen.getByRole('button', { name: 'Label clf:aaaaaaaa' }));
    await userEvent.clear(screen.getByLabelText('Label'));
    await userEvent.type(screen.getByLabelText('Label'), 'wider{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('the label is taken');
    await userEvent.click(screen.getByRole('button', { name: 'Save' }));
    await waitFor(() => {
      expect(say).toHaveBeenCalledWith('The label is changed');
    });
    const request = { name: 'clf', release: 'clf:aaaaaaaabbbb', label: 'wider' };
    expect(call).toHaveBeenLastCalledWith('label', request);
  });

  it('shows what it uses next to its limits', () => {
    const usage = { cpu: 1.5, most_cpu: 2, memory: 2e9, most_memory: null, workers: 2 };
    shown(<Usage usage={{ ...usage, most_workers: '1-4', waiting: null }} />);
    const list = screen.getByLabelText('Resources in use');
    expect(list).toHaveTextContent('CPU1.5 of 2memory2 GBworkers2 of 1-4queue–');
    expect(within(list).getAllByRole('meter')).toHaveLength(1);
  });
});
