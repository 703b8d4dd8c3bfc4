import type { Account, Report } from './protocol';

const NO_ACCOUNT: Account = {
  requests: 0, shown: 0, accepted: 0, acceptedChars: 0,
  spentJoules: null, spentJoulesLow: null, spentJoulesHigh: null, method: 'unavailable',
  savedJoules: null, savedStddev: null, savedPercent: null, headline: '', headlineState: '',
  acceptedCharsPerJoule: null, medianMs: null, shares: [],
};

/** A report of nothing: what the panel shows before the server has answered. */
export const NO_REPORT: Report = {
  machine: '', session: NO_ACCOUNT, today: NO_ACCOUNT, allTime: NO_ACCOUNT, hours: [], days: [],
  meters: [], missing: [], outlook: [], outlookMethod: 'unavailable', pair: null,
};
