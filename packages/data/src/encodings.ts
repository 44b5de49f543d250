/**
 * Detects the encoding of text that is not UTF-8. The text is decoded with each candidate encoding and scored:
 * frequent characters of the encoding's language raise the score; rare characters and unusual sequences lower it. The
 * encoding with the highest score is chosen.
 */
import type { DecodedText } from './decode.js';

interface Candidate {
  encoding: string;
  /** Label of the encoding for TextDecoder. */
  label: string;
  /** Returns the plausibility of a decoded text, from -2 to 1; only positive scores are plausible. */
  score(text: string): number;
}

/**
 * The most frequent characters of headings, place names and prose. Each of them scores 1. Other characters score 0.5 if they
 * are in the first level of the character set, the level of common characters.
 */
const SIMPLIFIED =
  '的一是不了人在有我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日' +
  '于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知样现分将外但身些与高意进把法此实回二理美点月明' +
  '其种声全工己话儿者向情部正名定女问力机给等几业最间新什打便位因重被走电四第门相次东政海口使教西再平真世气信北少关并内加化由' +
  '却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系' +
  '计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接许八特觉望直服毛林题建南度统色字请交爱让认算论百科术结六功指思' +
  '非流每青管夫连远资队带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完深区即求品士转量空众技程江基派满式' +
  '李极黄德收脸钱党未持取设始版双历越史商千片容研像找友站广改议形委早房音火际则首单据导影网香似斯石若究包组造销售额价格订客户' +
  '店铺编号库存温湿元省县镇街仓率消费用电负荷乘';
const TRADITIONAL =
  '的一是不了人在有我他這中大來上個國到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可裡後小麼心多天而能好都然沒日於' +
  '起還發成事只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩長知樣現分將外但身些與高意進把法此實回二理美點月明其' +
  '種聲全工己話向情部正名定女問力機給等幾業最間新位因重被電四第門相次東政海口使教西再平真世氣信北少關並內加化由代產入先山五太水' +
  '萬市體別處總場師書比住員九性通目華報立馬張數件安表原車白應路期常提感金合放系計司利受光果界及今務制解各任至清物台臺記邊共風接' +
  '許八特直服林題建南度統色字請交認算論百科術結六功指非流每青管資隊帶花快條院變聯權往展該領傳近紅治周保達辦運半七城強步完區品轉' +
  '量空技程江基式極黃收錢取設始版歷史商千片站廣改形早房首單據導網香石包組造銷售額價格訂客戶店編號庫存溫濕元省縣鎮街倉率消費灣費週';
const JAPANESE =
  '日一国人年大十二本中長出三時行見月分後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語土木' +
  '聞食車何南万毎白天母火右読友左休父雨会同事自社発者地業方新場員立開手力問代明動京目通言理体田主題意不作用度強公持野以思家世多' +
  '正安院心界教文元重近考画海売知道集別物使品計死特私始朝運終台広住無真有口少町料工建空急止送切転研足究楽起着店病質待試族銀早映' +
  '親験英医仕去味写字答夜音注帰古歌買悪図週室歩風紙黒花春赤青館屋色走秋夏習駅洋旅服夕借曜飲肉貸堂鳥飯勉冬昼茶弟牛魚兄犬妹姉漢' +
  '数量売上額価格商品店舗顧客地域番号合計平均気温湿度需要電力予測実績在庫注文販期間値単位区県市都府税率費件付刻';
const KOREAN =
  '이다는의가에을고하지를한도로은기사자리어나아대인그시해일과라만들정보수있서부전여공동주제성상원장국조구유연경선신치산관비세위안소' +
  '물화방진모무우문생마오영실발행금학간미당회요거내개계월년날짜판매량출액품명점합평균온단값습부하력전력지역고객주문번호가격코드재고서울' +
  '부산대구인천광주울강남북충청제주점포매장주간평일기온강수소비사용량석유통건강말순서중반양적류타차체입민권교육노동업무';
const charactersOf = (text: string): ReadonlySet<string> => new Set(text);

/** Returns the characters of all two-byte codes from `from` to `to` whose second byte is at least `trail`. */
function charactersBetween(label: string, from: number, to: number, trail: number): Set<string> {
  const bytes: number[] = [];
  for (let lead = from >> 8; lead <= to >> 8; lead++) {
    for (let second = trail; second <= 0xfe; second++) {
      const code = (lead << 8) | second;
      if (second !== 0x7f && code >= from && code <= to) bytes.push(lead, second);
    }
  }
  const text = new TextDecoder(label).decode(Uint8Array.from(bytes));
  return new Set(text.replaceAll('\uFFFD', ''));
}

interface Script {
  label: string;
  /** Frequent characters. */
  common: string;
  /** First and last code of the first level of the character set, and the smallest second byte of a code. */
  level: readonly [number, number, number];
  /** Score of a kana character. */
  kana: number;
}

/** Returns the score function of a two-byte encoding: the mean score of the non-ASCII characters. */
function scoreOfScript({ label, common, level, kana }: Script): (text: string) => number {
  return (text) => {
    const [frequent, firstLevel] = [charactersOf(common), charactersBetween(label, ...level)];
    const scoreOf = (char: string): number => {
      if (frequent.has(char)) return 1;
      if (/[\u3041-\u30FF]/.test(char)) return kana;
      if (firstLevel.has(char)) return 0.5;
      if (/[\u3000-\u303F\uFF01-\uFF5E\u2000-\u22FF\u00B0\u00B7\u2103]/.test(char)) return 0.3;
      return /[\uFF61-\uFF9F]/.test(char) ? -0.4 : -1;
    };
    return meanScore(text, (char, before, after) => {
      // A Latin letter next to the character suggests a wrong decoding that has split a word.
      return scoreOf(char) - (/[a-z]/i.test(before) || /[a-z]/i.test(after) ? 0.4 : 0);
    });
  };
}

/** Returns the mean score of the non-ASCII characters, given their neighbours. */
function meanScore(text: string, score: (char: string, before: string, after: string) => number): number {
  const chars = [...text];
  let [sum, count] = [0, 0];
  for (const [i, char] of chars.entries()) {
    if (char <= '\x7F') continue;
    sum += score(char, chars[i - 1] ?? '', chars[i + 1] ?? '');
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/** Scores text decoded as Windows-1252: one or two accented letters next to plain letters, and runs of common symbols, are plausible. */
function scoreOfLatin(text: string): number {
  let [sum, count] = [0, 0];
  for (const { 0: run, index } of text.matchAll(/[^\0-\x7F]+/g)) {
    const [before, after] = [text[index - 1] ?? '', text[index + run.length] ?? ''];
    sum += run.length * scoreOfLatinRun(run, before, after);
    count += run.length;
  }
  return count === 0 ? 0 : sum / count;
}

const letter = /[A-Za-z]/;

/** Scores a run of non-ASCII characters between the characters `before` and `after`. */
function scoreOfLatinRun(run: string, before: string, after: string): number {
  if (/[\x80-\x9F]/.test(run)) return -2; // undefined in Windows-1252
  if (/^[\xA0\xA3\xA7\xB0\xB1-\xB3\xB5\xBD\u20AC\u2013\u2014\u2018-\u201E\u2026\u2030]+$/.test(run))
    return 0.6;
  if (!/^[\xC0-\xD6\xD8-\xF6\xF8-\xFF\u0152\u0153\u0160\u0161\u017D\u017E\u0178]+$/.test(run)) return -0.6;
  if (/[a-z]/.test(before) && /^[\xC0-\xDE]/.test(run)) return -0.5; // a capital within a word
  const nextToLetter = letter.test(before) || letter.test(after);
  if (run.length === 1) return nextToLetter ? 0.8 : 0.2;
  return run.length === 2 && nextToLetter ? 0.5 : -0.8;
}

/** Scores text decoded as Windows-1251: words in one case, or with a capital first letter, are plausible. */
function scoreOfCyrillic(text: string): number {
  let [sum, count] = [0, 0];
  for (const [run] of text.matchAll(/[^\0-\x7F]+/g)) {
    const isWord = /^(?:[\u0400-\u042F]?[\u0430-\u045F]+|[\u0400-\u042F]+)$/.test(run);
    sum += run.length * (isWord ? (run.length > 2 ? 0.9 : 0.2) : -0.8);
    count += run.length;
  }
  return count === 0 ? 0 : sum / count;
}

const twoByteCandidate = (encoding: string, script: Script): Candidate => ({
  encoding,
  label: script.label,
  score: scoreOfScript(script),
});

/** If several candidates have the same score, the first one is chosen. */
const CANDIDATES: readonly Candidate[] = [
  { encoding: 'Windows-1252', label: 'windows-1252', score: scoreOfLatin },
  twoByteCandidate('GBK', { label: 'gbk', common: SIMPLIFIED, level: [0xb0a1, 0xd7f9, 0xa1], kana: 0 }),
  twoByteCandidate('Shift_JIS', {
    label: 'shift_jis',
    common: JAPANESE,
    level: [0x889f, 0x9872, 0x40],
    kana: 0.9,
  }),
  twoByteCandidate('Big5', { label: 'big5', common: TRADITIONAL, level: [0xa440, 0xc67e, 0x40], kana: 0 }),
  twoByteCandidate('EUC-KR', { label: 'euc-kr', common: KOREAN, level: [0xb0a1, 0xc8fe, 0xa1], kana: 0 }),
  twoByteCandidate('EUC-JP', { label: 'euc-jp', common: JAPANESE, level: [0xb0a1, 0xcfd3, 0xa1], kana: 0.9 }),
  { encoding: 'Windows-1251', label: 'windows-1251', score: scoreOfCyrillic },
];

/** Length of a sample in bytes. */
const SAMPLE_LENGTH = 65_536;

/** Returns about 64 KiB of the text, in whole lines if possible, from the first line with a non-ASCII byte on. */
export function sampleOf(bytes: Uint8Array): Uint8Array {
  const firstNonAscii = bytes.findIndex((byte) => byte > 0x7f);
  const start = bytes.lastIndexOf(10, firstNonAscii) + 1;
  const part = bytes.subarray(start, Math.max(start + SAMPLE_LENGTH, firstNonAscii + 1));
  const end = start + SAMPLE_LENGTH >= bytes.length ? part.length : part.lastIndexOf(10) + 1;
  return end > firstNonAscii - start ? part.subarray(0, end) : part;
}

/** The characters 0x80 to 0x9F of Windows-1252, which some versions of Node decode as Latin-1. */
const WINDOWS_1252 =
  '\u20AC\x81\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\x8D\u017D\x8F' +
  '\x90\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\x9D\u017E\u0178';

/**
 * Decodes bytes; returns undefined if they are not valid in the encoding.
 * @throws RangeError for a label that TextDecoder does not know
 */
export function tryDecode(bytes: Uint8Array, label: string): string | undefined {
  const decoder = new TextDecoder(label, { fatal: true });
  try {
    const text = decoder.decode(bytes);
    if (decoder.encoding !== 'windows-1252') return text;
    return text.replace(/[\x80-\x9F]/g, (char) => WINDOWS_1252[char.charCodeAt(0) - 0x80]);
  } catch {
    return undefined; // the bytes are not valid in this encoding
  }
}

/** Decodes bytes that are not UTF-8 with the most plausible encoding; returns undefined if none is plausible. */
export function decodeAsLikely(bytes: Uint8Array): DecodedText | undefined {
  const sample = sampleOf(bytes);
  const scored = CANDIDATES.flatMap(({ encoding, label, score }) => {
    const text = tryDecode(sample, label);
    return text === undefined ? [] : [{ encoding, label, score: score(text) }];
  });
  for (const { encoding, label, score } of scored.sort((a, b) => b.score - a.score)) {
    if (score <= 0) return undefined;
    const text = tryDecode(bytes, label);
    if (text !== undefined) return { text, encoding };
  }
  return undefined;
}
