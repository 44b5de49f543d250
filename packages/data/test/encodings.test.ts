// Encodings other than UTF-8: detected from small tables in many languages, set by option, and rejected.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeText, parseCsv } from '@unroll/data';

/** Returns a function that encodes text in one or two bytes per character. Its table is computed with the decoder. */
function encoder(label: string): (text: string) => Uint8Array {
  const codes = new Map<string, number[]>(label === 'windows-1252' ? [['€', [0x80]]] : []);
  const add = (...bytes: number[]) => {
    try {
      const text = new TextDecoder(label, { fatal: true }).decode(Uint8Array.from(bytes));
      if ([...text].length === 1 && !codes.has(text)) codes.set(text, bytes);
    } catch {
      // not a character of this encoding
    }
  };
  for (let byte = 0; byte < 256; byte++) add(byte);
  for (let lead = 0x81; lead < 0xff; lead++) for (let trail = 0x40; trail < 0xff; trail++) add(lead, trail);
  return (text) =>
    Uint8Array.from([...text].flatMap((char) => codes.get(char) ?? assert.fail(`no ${char} in ${label}`)));
}

const encodings: Record<string, { label: string; headers: string[] }> = {
  GBK: {
    label: 'gbk',
    headers: [
      ...[
        '月份,销售量',
        '日期,销量',
        '时间,温度',
        '年月,产量',
        '日期,收入（万元）',
        '月,客流量',
        '周,订单数',
      ],
      ...['日期,用电量', '季度,营业额', '日期,门店,金额', '月份,出口额', '日期,数量', '时间,负荷'],
    ],
  },
  Big5: {
    label: 'big5',
    headers: [
      ...['月份,銷售量', '日期,銷量', '時間,溫度', '年月,產量', '日期,營業額', '月,旅客人數', '週,訂單數'],
      ...['日期,用電量', '季度,收入', '日期,門市,金額'],
    ],
  },
  Shift_JIS: {
    label: 'shift_jis',
    headers: [
      ...['年月,売上', '日付,売上高', '日付,気温', '月,生産量', '日付,来客数', '週,注文数', '日時,電力需要'],
      ...['日付,店舗,金額', '年月,販売数量', '日付,ユニット'],
    ],
  },
  'EUC-KR': {
    label: 'euc-kr',
    headers: [
      '월,판매량',
      '날짜,매출',
      '일자,기온',
      '연월,생산량',
      '날짜,방문자수',
      '주,주문수',
      '날짜,매장,금액',
    ],
  },
  'Windows-1252': {
    label: 'windows-1252',
    headers: [
      ...[
        'Monat,Stück',
        'Monat,Umsätze',
        'mois,quantité',
        'année,été',
        'mes,año',
        'mês,preço',
        'Größe,Menge',
      ],
      ...[
        'Monat,Änderung',
        'date,température',
        'month,price (£)',
        'Tag,Temp. (°C)',
        'måned,omsætning',
        'kuukausi,määrä',
      ],
      ...['Übung,Straße', 'month,price €', 'mes,producción', 'pâté,ÉTÉ'],
    ],
  },
  'Windows-1251': {
    label: 'windows-1251',
    headers: ['месяц,продажи', 'Дата,Выручка', 'дата,температура', 'Период,Количество'],
  },
};
for (const [encoding, { label, headers }] of Object.entries(encodings)) {
  describe(`detects ${encoding}`, () => {
    const encode = encoder(label);
    for (const header of headers) {
      test(header, () => {
        const text = `${header}\n${`2019-01${',1.5'.repeat(header.split(',').length - 1)}\n`.repeat(20)}`;
        assert.deepEqual(decodeText(encode(text)), { text, encoding });
      });
    }
  });
}

test('detects the encoding from place names far below the first line', () => {
  const text = `day,city,y\n${'2019-01-01,x,1\n'.repeat(10_000)}2019-01-01,北京,1\n2019-01-01,哈尔滨,2\n`;
  assert.equal(decodeText(encoder('gbk')(text)).encoding, 'GBK');
});

test('detects Japanese in EUC-JP', () => {
  const text = '日付,ユニットの売上\n2019-01,1\n';
  assert.deepEqual(decodeText(encoder('euc-jp')(text)), { text, encoding: 'EUC-JP' });
});

test('decodes the euro sign, the dash and the apostrophe of Windows-1252', () => {
  const bytes = Uint8Array.of(0x61, 0x2c, 0x80, 0x20, 0x96, 0x20, 0x92, 0x0a);
  assert.deepEqual(decodeText(bytes), { text: 'a,€ – ’\n', encoding: 'Windows-1252' });
  assert.equal(decodeText(bytes, 'f.csv', 'latin1').text, 'a,€ – ’\n');
});

test('the option `encoding` replaces the detection', () => {
  const bytes = encoder('windows-1250')('měsíc,množství\n2019-01,1\n');
  const { text, encoding } = decodeText(bytes, 'f.csv', 'windows-1250');
  assert.deepEqual(
    parseCsv(text).columns.map(({ name }) => name),
    ['měsíc', 'množství'],
  );
  assert.equal(encoding, 'windows-1250');
});

describe('rejects', () => {
  test('an unknown encoding', () =>
    assert.throws(() => decodeText(Uint8Array.of(65), 'f.csv', 'klingon'), {
      message: /^encoding must be a name such as utf-8, .*, got "klingon"\.$/,
      code: 'value',
    }));
  test('bytes that do not fit the given encoding', () =>
    assert.throws(() => decodeText(Uint8Array.of(0x81, 0x20), 'f.csv', 'gbk'), {
      message: 'f.csv is not valid gbk. Correct the option encoding (--encoding), or leave it out.',
      code: 'format',
    }));
  test('bytes that fit no encoding', () =>
    assert.throws(
      () => decodeText(Uint8Array.from([...Array(40).keys()].map((i) => 0x80 + 3 * i)), 'f.csv'),
      {
        message:
          /^f\.csv is not UTF-8, and its encoding is not recognised\. Save it as UTF-8, or set encoding/,
        code: 'format',
      },
    ));
  test('damaged UTF-8, with the line number', () => {
    const bytes = new TextEncoder().encode('Stück,Größe,Maß\nä,ö,ü\n1,2,3\n');
    bytes[bytes.indexOf(0x31)] = 0xff;
    assert.throws(() => decodeText(bytes, 'f.csv'), {
      message: 'f.csv, line 3: the text is UTF-8 except for a few damaged bytes. Save it as UTF-8 again.',
      code: 'format',
    });
  });
});
