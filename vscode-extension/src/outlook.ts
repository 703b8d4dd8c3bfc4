/** The slider between accuracy and energy: what each of its places promises, by the calibration. */

import { ENERGY_STOPS } from './energyStops';
import type { Translate } from './l10n';
import type { Outlook, Report } from './protocol';
import { joules, percent } from './quantities';
import type { Settings } from './settings';

export interface SliderView {
  readonly value: number;
  readonly title: string;
  /** For each value 0..100: what is predicted there. */
  readonly predictions: readonly Prediction[];
  /** Energy and accuracy at each calibrated stop, each 0..1 of the large model's; empty where nothing is known. */
  readonly curve: readonly CurvePoint[];
  readonly stops: readonly { readonly value: number; readonly name: string }[];
  readonly ends: readonly [string, string];
  readonly floor: { readonly value: number | null; readonly name: string; readonly note: string };
  readonly source: string;
}

export interface Prediction {
  readonly energy: string;
  readonly accuracy: string;
  /** Both in a sentence, for a screen reader. */
  readonly spoken: string;
}

export interface CurvePoint {
  readonly value: number;
  readonly energy: number;
  readonly accuracy: number;
}

/** The slider at a value, with all that it says while it moves. */
export function sliderView(settings: Settings, report: Report, t: Translate): SliderView {
  const { outlook, outlookMethod, pair } = report;
  const most = pair?.mostSaving ?? 100;
  return {
    value: settings.energySaving,
    title: t('Between accuracy and energy'),
    predictions: Array.from({ length: 101 }, (_, value) => prediction(value, most, report, t)),
    curve: curve(outlook),
    stops: ENERGY_STOPS.map(({ value, name }) => ({ value, name: name(t) })),
    ends: [t('Most accurate'), t('Least energy')],
    floor: {
      value: settings.qualityFloor,
      name: t('Keep at least this share of the large model’s accuracy (percent, empty: off)'),
      note: floorNote(settings, most, t),
    },
    source: outlook.length === 0
      ? t('No calibration is known for this pair: what a place promises cannot be told.')
      : outlookMethod === 'measured'
        ? t('Predicted from the calibration of this pair: joules a request, and how often the text is exactly right.')
        : t('Predicted from the calibration of this pair: joules a request (estimated), and how often the text is exactly right.'),
  };
}

/** Energy and accuracy relative to the large model's, where both are known. */
export function curve(outlook: readonly Outlook[]): CurvePoint[] {
  const [large] = outlook;
  if (!large?.joules || !large.quality) return [];
  const [allJoules, allQuality] = [large.joules, large.quality];
  return outlook.flatMap(({ energySaving, joules: cost, quality }) =>
    cost === null || quality === null
      ? []
      : [{ value: energySaving, energy: cost / allJoules, accuracy: quality / allQuality }]);
}

function prediction(value: number, most: number, { outlook, outlookMethod }: Report, t: Translate): Prediction {
  const point = nearest(outlook, Math.min(value, most));
  if (!point) {
    const spoken = t('Energy saving {0}.', value);
    return { energy: '', accuracy: '', spoken };
  }
  const [large] = outlook;
  const energy = t('{0} a request', joules(point.joules, outlookMethod));
  const share = point.quality === null || !large?.quality ? null : point.quality / large.quality;
  const right = point.quality === null ? percent(null) : t('{0} of 100 right', (100 * point.quality).toFixed(1));
  const accuracy = share === null ? right : t('{0}, {1} of the large model’s', right, percent(share));
  return { energy, accuracy, spoken: t('Energy saving {0}: {1}, {2}.', value, energy, accuracy) };
}

function nearest(outlook: readonly Outlook[], value: number): Outlook | undefined {
  const away = (point: Outlook) => Math.abs(point.energySaving - value);
  return outlook.reduce<Outlook | undefined>(
    (best, point) => (best === undefined || away(point) < away(best) ? point : best), undefined);
}

function floorNote({ energySaving, qualityFloor }: Settings, most: number, t: Translate): string {
  if (qualityFloor === null) return '';
  return energySaving > most
    ? t('The quality floor holds energy saving at {0}.', Math.round(most))
    : t('The quality floor allows energy saving up to {0}.', Math.round(most));
}
