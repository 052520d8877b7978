import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Published as Result } from '../../generated';
import { short, size } from '../../words';
import { CopyButton } from '../ui/copyButton';

export interface PublishedProps {
  published: Result;
  listImages: (() => void) | undefined;
  trans: TranslationBundle;
}

/**
 * A release's image in a registry: its reference, the command that starts it, the sent layers, and
 * where its record is stored.
 */
export function Published({ published, listImages, trans }: PublishedProps): React.ReactElement {
  const { publication, release, command, containerfile, dry_run: dry } = published;
  const { image, reference, forced, signed_by: signer } = publication;
  const [place = ''] = reference.split('@');
  return (
    <>
      <p className="nbdeploy-did">
        <span>
          <code title={release}>{short(release)}</code> {didWords(published, trans)}
        </span>
      </p>
      <Copied name={trans.__('Reference')} text={place} trans={trans} />
      <Copied name={trans.__('Digest')} text={image.digest} trans={trans} />
      <Copied name={trans.__('Start command')} text={command} trans={trans} />
      <Layers published={published} trans={trans} />
      <ul className="nbdeploy-help">
        <li>{trans.__('Base: %1 (%2, Python %3)', image.base, image.platform, image.python)}</li>
        <li>
          {dry
            ? trans.__('Bill of materials: CycloneDX, %1', size(published.bill_of_materials))
            : trans.__(
                'Bill of materials: CycloneDX, %1, attached',
                size(published.bill_of_materials)
              )}
        </li>
        <li>
          {signer
            ? trans.__('Signed by the key %1…', signer.slice(0, 12))
            : trans.__('Not signed: no key was named')}
        </li>
        {containerfile ? <li>{trans.__('Containerfile: %1', containerfile)}</li> : null}
        {forced ? <li>{trans.__('Forced: %1', forced)}</li> : null}
      </ul>
      {dry || !listImages ? null : (
        <div className="nbdeploy-buttons">
          <span>{trans.__('The list of images on this machine includes it.')}</span>
          <button type="button" className="jp-Button jp-mod-styled" onClick={listImages}>
            {trans.__('List images')}
          </button>
        </div>
      )}
    </>
  );
}

function didWords({ changed, dry_run: dry }: Result, trans: TranslationBundle): string {
  if (dry) return trans.__('would be published: nothing was sent');
  return changed ? trans.__('is published') : trans.__('was published already: nothing was sent');
}

/** A text to use elsewhere: with its name, and a button that copies it. */
function Copied(props: {
  name: string;
  text: string;
  trans: TranslationBundle;
}): React.ReactElement {
  const { name, text, trans } = props;
  return (
    <div className="nbdeploy-copied">
      <span className="nbdeploy-help">{name}</span>
      <div className="nbdeploy-url">
        <code>{text}</code>
        <CopyButton text={text} label={trans.__('Copy: %1', name)} trans={trans} />
      </div>
    </div>
  );
}

function Layers({
  published,
  trans
}: {
  published: Result;
  trans: TranslationBundle;
}): React.ReactElement {
  const { layers } = published.publication.image;
  const sent = layers.filter(layer => !published.there.includes(layer.digest));
  const bytes = size(sent.reduce((sum, layer) => sum + layer.size, 0));
  const counted: [string, string, string] = [String(sent.length), String(layers.length), bytes];
  const state = (digest: string): string => {
    if (published.there.includes(digest)) return trans.__('already present');
    return published.dry_run ? trans.__('to be sent') : trans.__('sent');
  };
  return (
    <table className="nbdeploy-layers">
      <caption>
        {published.dry_run
          ? trans.__('%1 of %2 layers to be sent, %3', ...counted)
          : trans.__('%1 of %2 layers sent, %3', ...counted)}
      </caption>
      <thead>
        <tr>
          <th scope="col">{trans.__('Layer')}</th>
          <th scope="col">{trans.__('Content')}</th>
          <th scope="col">{trans.__('Size')}</th>
          <th scope="col">{trans.__('State')}</th>
        </tr>
      </thead>
      <tbody>
        {layers.map(layer => (
          <tr key={layer.digest} title={layer.digest}>
            <td>{layer.kind}</td>
            <td>{layer.title}</td>
            <td className="nbdeploy-number">{size(layer.size)}</td>
            <td>{state(layer.digest)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
