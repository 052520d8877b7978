import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';

import type { Published } from '../src/generated';
import { job } from './made/deploying';
import { problem, show } from './made/jobShown';

it('a publication shows its layers, with texts to copy', async () => {
  const published: Published = {
    release: 'clf:aaaaaaaabbbb',
    publication: {
      reference: 'registry.example/clf:1@sha256:0a1b',
      bill_of_materials: 'sha256:b111',
      image: {
        digest: 'sha256:0a1b',
        snapshot: 'clf:aaaaaaaabbbb',
        snapshot_digest: 'sha256:a',
        builder: 'daemonless',
        base: 'registry.example/python',
        platform: 'linux/amd64',
        python: '3.11.2',
        labels: {},
        layers: [
          {
            kind: 'dependencies',
            title: '62 distributions',
            digest: 'sha256:d',
            size: 123456789
          },
          { kind: 'code', title: 'bento', digest: 'sha256:c', size: 8040 }
        ]
      },
      endpoint: 'clf',
      validation: null,
      forced: '',
      choice: '',
      signed_by: null,
      published_at: '2026-11-26T10:00:00Z',
      user: 'ana'
    },
    there: ['sha256:d'],
    bill_of_materials: 35_000,
    command: 'podman run registry.example/clf@sha256:0a1b',
    containerfile: '/home/ana/images/containerfiles/0a1b/Containerfile',
    changed: true,
    dry_run: false
  };
  const { listImages, tryAgain, user, becomes } = show(
    job({ verb: 'publish', state: 'done', result: published })
  );
  expect(screen.getByRole('table', { name: '1 of 2 layers sent, 8 kB' })).toBeInTheDocument();
  expect(screen.getAllByRole('row').map(row => row.textContent)).toEqual([
    'LayerContentSizeState',
    'dependencies62 distributions123.5 MBalready present',
    'codebento8 kBsent'
  ]);
  expect(screen.getByText(/^Containerfile: .*0a1b/)).toBeInTheDocument();
  await user.click(screen.getByRole('button', { name: 'Copy: Start command' }));
  expect(await navigator.clipboard.readText()).toBe(published.command);
  await user.click(screen.getByRole('button', { name: 'List images' }));
  expect(listImages).toHaveBeenCalled();
  const again = { ...published, changed: false, there: ['sha256:d', 'sha256:c'] };
  becomes(job({ verb: 'publish', state: 'done', result: again }));
  expect(screen.getByText(/was published already/)).toBeInTheDocument();
  const failed = job({
    verb: 'publish',
    state: 'failed',
    problem: problem({ code: 'registry_error', detail: 'the registry has no room' })
  });
  becomes(failed);
  await user.click(screen.getByRole('button', { name: 'Try again…' }));
  expect(tryAgain).toHaveBeenCalledWith(failed);
});
