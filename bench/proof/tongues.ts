/** Sentences in several languages and scripts, and some code: a row per language. */
export const tongues: readonly (readonly string[])[] = [
  [
    "Der Zug hält heute nicht in der kleinen Stadt.",
    "Übermorgen wird die Brücke über den Fluss geöffnet.",
    "Wir haben den Schlüssel unter dem Blumentopf gefunden.",
  ],
  [
    "Le marché ouvre tôt et sent le pain chaud.",
    "Où avez-vous laissé la clé de la bibliothèque ?",
    "Nous marchons jusqu’à la mer après le déjeuner.",
  ],
  [
    "La niña dibujó un puente sobre el río.",
    "Mañana lloverá en las montañas del norte.",
    "¿Quién cerró la ventana de la cocina?",
  ],
  [
    "Поезд приходит вечером, когда уже темно.",
    "Мы долго искали дорогу к озеру.",
    "Её письмо лежало на столе всю зиму.",
  ],
  [
    "Το πλοίο φεύγει νωρίς το πρωί.",
    "Ο δάσκαλος μιλάει για τη θάλασσα.",
    "Βρήκαμε το παλιό βιβλίο στην αγορά.",
  ],
  [
    "图书馆今天下午三点关门。",
    "他们沿着河边慢慢走回家。",
    "这座桥已经有一百年的历史了。",
  ],
  [
    "駅の前で友だちを待っています。",
    "明日は朝から雨が降るでしょう。",
    "この川には古い橋がかかっている。",
  ],
  [
    "오늘은 시장에 사람이 많습니다.",
    "우리는 강을 따라 천천히 걸었다.",
    "내일 아침에 기차가 출발합니다.",
  ],
  [
    "القطار يصل في المساء إلى المدينة.",
    "وجدنا المفتاح تحت الباب القديم.",
    "سوف تمطر غدا على الجبال.",
  ],
  [
    "नदी के किनारे एक पुराना घर है।",
    "कल सुबह बाज़ार बंद रहेगा।",
    "हमने पुल पर उसका इंतज़ार किया।",
  ],
  [
    "const total = rows.reduce((sum, row) => sum + row.count, 0);",
    "for (let i = 0; i < n; i++) { queue.push(i * 2); }",
    'if (!found) { return { ok: false, reason: "missing" }; }',
  ],
  [
    "🚂 at 7:05, 🌧️ all day, ☕ twice — then 🏠.",
    "Price: €12.50 ≈ £10.70; naïve café, coöperate, ½ cup.",
    "\t- item one\n\t- item two\r\n\t- item three\n",
  ],
];
