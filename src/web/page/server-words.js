// Adapts the server's English texts, which are part of the protocol, for the page: removes the advice to connect again,
// because the page does that, and translates the most common texts to Portuguese.

const CONNECT_AGAIN = /\. You need to connect again and use another (one|name)$/;

const PORTUGUESE = [
  [/^This username is already taken$/, "Este nome já está em uso"],
  [/^A name must not be empty$/, "Um nome não pode ser vazio"],
  [
    /^A name has at most (\d+) characters, and this one has (\d+)$/,
    "Um nome tem no máximo $1 caracteres, e este tem $2",
  ],
  [
    /^A name must not hold control or invisible characters: character (\d+) is (U\+\w+)$/,
    "Um nome não pode ter caracteres de controle ou invisíveis: o caractere $1 é $2",
  ],
  [/^A name must not begin with a combining mark: (U\+\w+)$/, "Um nome não pode começar com um sinal combinante: $1"],
  [
    /^A name must not begin with #, nor look as if it did, because # is kept for rooms$/,
    "Um nome não pode começar com #, nem parecer que começa: # é reservado para salas",
  ],
  [
    /^A name must not begin with @, nor look as if it did, because @ begins the number of a line$/,
    "Um nome não pode começar com @, nem parecer que começa: @ inicia o número de uma linha",
  ],
  [
    /^A name must not hold the character (.) because it separates fields or names$/,
    "Um nome não pode ter o caractere $1, que separa campos ou nomes",
  ],
  [
    /^A name must not hold the character (.) \((U\+\w+)\) because it looks like (.), which separates fields or names$/u,
    "Um nome não pode ter o caractere $1 ($2), que se parece com $3, que separa campos ou nomes",
  ],
  [/^A name must not have more than (\d+) marks over one character$/, "Um nome não pode ter mais de $1 sinais sobre um caractere"],
  [/^The name (.*) is reserved$/, "O nome $1 é reservado"],
  [/^Destination client \((.*)\) not found!$/s, "O destinatário ($1) não foi encontrado!"],
  [
    /^Only someone connected from the server's own machine may close it$/,
    "Só quem está na máquina do servidor pode fechá-lo",
  ],
  [/^Only an operator of this server may close it$/, "Só um operador deste servidor pode fechá-lo"],
  [/^Nobody may close this server by a message$/, "Ninguém pode fechar este servidor por mensagem"],
  [
    /^That is not the password of (.*); (\d+) (?:try is|tries are) left$/,
    "Essa não é a senha de $1; tentativas que restam: $2",
  ],
  [/^That is not the password of (.*)\. You need to connect again$/, "Essa não é a senha de $1"],
  [
    /^Too many wrong passwords came from your address\. Try again in (.*)$/,
    "Do seu endereço vieram senhas erradas demais. Tente de novo em $1",
  ],
  [
    /^Too many wrong passwords were given for (.*)\. Try again in (.*), or from an address from which you gave the right one before$/,
    "Foram dadas senhas erradas demais para $1. Tente de novo em $2, ou de um endereço de onde você já deu a certa",
  ],
  [
    /^The server is full: it serves (\d+) at most\. Try again later$/,
    "O servidor está cheio: atende no máximo $1. Tente mais tarde",
  ],
  [
    /^Your message was not sent: you may send (\d+) messages a second, (\d+) at once\. Try again in (\d+) s$/,
    "Sua mensagem não foi enviada: são no máximo $1 mensagens por segundo, $2 de uma vez. Tente de novo em $3 s",
  ],
  [
    /^Your message was not sent: you may send (\d+) bytes a second, (\d+) at once\. Try again in (\d+) s$/,
    "Sua mensagem não foi enviada: são no máximo $1 bytes por segundo, $2 de uma vez. Tente de novo em $3 s",
  ],
  [
    /^Your line was dropped: a message has at most (\d+) bytes\. Send it in parts$/,
    "Sua mensagem foi recusada: uma mensagem tem no máximo $1 bytes. Envie-a em partes",
  ],
  [/^(.*): (.*) does not play: nothing came within (\w+)\. Does .* share files\?$/s, "$1: $2 não toca: nada veio em $3. $1 compartilha arquivos?"],
  [/^(.*): (.*) does not play: .* has left$/s, "$1: $2 não toca: $1 saiu"],
  [/^(.*): (.*) does not play: .* ended it$/s, "$1: $2 não toca: $1 parou"],
  [/^(.*): (.*) ended$/s, "$1: $2 terminou"],
  [/^(.*): (.*) ended: .* has left$/s, "$1: $2 terminou: $1 saiu"],
  [/^(.*): (.*) does not play: .* had not started, and its place went to another request \(at most (\d+) may wait\)$/s, "$1: $2 não toca: $1 não tinha começado, e o lugar foi para outro pedido (no máximo $3 podem esperar)"],
  [/^(.*): (.*) ended: its place went to another file \(at most (\d+) play at once\)$/s, "$1: $2 terminou: o lugar foi para outro arquivo (no máximo $3 tocam ao mesmo tempo)"],
  [/^(.*): (.*) ended: nobody listened for (\w+)$/s, "$1: $2 terminou: ninguém ouviu por $3"],
  [/^This server carries no audio: its operator has to set media\.listen$/, "Este servidor não transmite áudio: o operador precisa definir media.listen"],
  [/^You wait for (\d+) files, which is the most\. Try again when one of them plays$/, "Você espera por $1 arquivos, que é o máximo. Tente de novo quando um deles tocar"],
  [
    /^(\/.*) is not known\. Did you mean (\/\w+)\? Type: (.*)\. \/help shows all operations$/s,
    "$1 não é conhecido. Você quis dizer $2? Escreva: $3. /help mostra todas as operações",
  ],
  [/^This page shows the time of each message$/, "Esta página mostra a hora de cada mensagem"],
  [/^This page always shows who joins and leaves$/, "Esta página sempre mostra quem entra e sai"],
  [/^(\/.*) is not known\. \/help shows all operations$/s, "$1 não é conhecido. /help mostra todas as operações"],
  [/^After (\/\w+) the text is missing\. Type: (.*)$/s, "Depois de $1 falta o texto. Escreva: $2"],
  [/^After (\/\w+) a name is missing\. Type: (.*)$/s, "Depois de $1 falta um nome. Escreva: $2"],
  [/^After (\/\w+) a file is missing\. Type: (.*)$/s, "Depois de $1 falta um arquivo. Escreva: $2"],
  [
    /^This server does not go by the name in the address\. Use its IP address, or add the name to web\.hosts\.$/,
    "Este servidor não atende pelo nome que está no endereço. Use o endereço IP dele, ou acrescente o nome a web.hosts.",
  ],
  [
    /^A page from another server may not talk to this one\. If a proxy is between, have it pass on the browser's Host header, with its port\. For nginx: (.*)$/,
    "Uma página de outro servidor não pode falar com este. Se há um proxy no caminho, ele precisa repassar o cabeçalho Host do navegador, com a porta. No nginx: $1",
  ],
  [
    /^This is the address of a WebSocket, and this request asks for none\. If a proxy is between, have it pass on the request to upgrade\. For nginx: (.*)$/,
    "Um proxy no caminho não repassa o pedido de WebSocket (Upgrade e Connection). No nginx: $1",
  ],
  [
    /^(.*) was not banned: it looks like an IPv(4|6) address and is none: .*, such as (.*)$/s,
    "$1 não foi banido: parece um endereço IPv$2 e não é. Endereços se escrevem como $3",
  ],
  [
    /^(.*) is not banned, but (.*) is, and looks the same\. Type: (.*)$/s,
    "$1 não está banido, mas $2 está, e se parece com ele. Escreva: $3",
  ],
  [
    /^You were disconnected: you read too slowly\. Slow readers delayed broadcasts by (.*) within (\w+), and more than (\d+) bytes for you were unread$/,
    "Você foi desconectado: sua leitura foi lenta demais. Leitores lentos atrasaram as mensagens a todos em $1 dentro de $2, e mais de $3 bytes esperavam por você",
  ],
  [
    /^You were disconnected: unread messages for all clients passed (\d+) bytes, and yours were among the largest and oldest$/,
    "Você foi desconectado: as mensagens não lidas de todos passaram de $1 bytes, e as suas estavam entre as maiores e mais antigas",
  ],
  [/^The name (.*) is banned for good by (.*)$/s, "O nome $1 está banido para sempre por $2"],
  [/^The name (.*) is banned for good(.*)$/s, "O nome $1 está banido para sempre$2"],
  [/^The name (.*) is banned until (\S+) by (.*)$/s, "O nome $1 está banido até $2 por $3"],
  [/^The name (.*) is banned until (\S+)(.*)$/s, "O nome $1 está banido até $2$3"],
  [/^Your address is banned for good by (.*)$/s, "Seu endereço está banido para sempre por $1"],
  [/^Your address is banned for good(.*)$/s, "Seu endereço está banido para sempre$1"],
  [/^Your address is banned until (\S+) by (.*)$/s, "Seu endereço está banido até $1 por $2"],
  [/^Your address is banned until (\S+)(.*)$/s, "Seu endereço está banido até $1$2"],
  [/^(.*) has .*; it looks like (.*), who is banned \(.*\)$/s, "$1 se parece com $2, que está banido"],
  [/^(.*) looks like (.*), who is banned(?:: .*| and has .*)? \(.*\)$/s, "$1 se parece com $2, que está banido"],
  [/^(.*) is banned for good by (.*) \(.*\); (?:that is a name|those are addresses)$/s, "$1 está banido para sempre por $2"],
  [/^(.*) is banned until (\S+) by (.*) \(.*\); (?:that is a name|those are addresses)$/s, "$1 está banido até $2 por $3"],
  [/^You were disconnected by (.*)$/s, "Você foi desconectado por $1"],
];

/** The form in which the page shows a text of the server: { text, language }. An unknown text stays in English. */
export function serverWords(text, language) {
  const short = text.replace(CONNECT_AGAIN, "");
  if (language !== "pt") return { text: short, language: "en" };
  for (const [english, portuguese] of PORTUGUESE) {
    if (english.test(short)) return { text: short.replace(english, portuguese), language };
  }
  return { text: short, language: "en" };
}
