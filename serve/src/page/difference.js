// What a correction changes, word by word.

// longer texts are shown without marks: comparing them takes the square of their length
const MOST_COMPARED_WORDS = 1500;
// most words between two rewrites that are joined, as report/src/difference.rs does
const MOST_ISLAND = 2;

const words = (text) => text.match(/\s+|[^\s]+/gu) ?? [];

// Longest common subsequence of words: a list of [kind, text] with kind "same", "del" or "ins".
function difference(before, after) {
  const [a, b] = [words(before), words(after)];
  if (a.length > MOST_COMPARED_WORDS || b.length > MOST_COMPARED_WORDS) return [["same", after]];
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const parts = [];
  const push = (kind, text) => {
    const last = parts.at(-1);
    if (last?.[0] === kind) last[1] += text;
    else parts.push([kind, text]);
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      push("same", a[i++]);
      j++;
    } else if (i < a.length && (j >= b.length || lengths[i + 1][j] >= lengths[i][j + 1])) push("del", a[i++]);
    else push("ins", b[j++]);
  }
  return withoutIslands(parts);
}

// A few words between two rewrites belong to one rewrite; between two deletions they stay.
function withoutIslands(parts) {
  const isIsland = (at) => {
    const five = parts.slice(at - 2, at + 3);
    if (five.map(([kind]) => kind).join() !== "del,ins,same,del,ins") return false;
    const [a, b, kept, c, d] = five.map(([, text]) => text.trim().length);
    return kept <= Math.min(Math.max(a, b), Math.max(c, d)) && parts[at][1].trim().split(/\s+/u).length <= MOST_ISLAND;
  };
  for (let at = 2; at + 2 < parts.length; ) {
    if (isIsland(at)) {
      const joined = (places) => places.map((place) => parts[at + place][1]).join("");
      parts.splice(at - 2, 5, ["del", joined([-2, 0, 1])], ["ins", joined([-1, 0, 2])]);
    } else at++;
  }
  return parts;
}

const SPOKEN = { del: "left out: ", ins: "put in: ", rest: "" };

// The nodes that show a difference; of a correction that is still being written, what is left of the answer is only not reached yet.
function differenceNodes(answer, correction, isDone) {
  const parts = difference(answer, correction);
  if (!isDone && parts.at(-1)?.[0] === "del") parts.at(-1)[0] = "rest";
  return parts.map(([kind, text]) => {
    if (kind === "same") return document.createTextNode(text);
    const element = document.createElement(kind === "rest" ? "span" : kind);
    element.className = kind === "rest" ? "rest" : "";
    if (SPOKEN[kind]) {
      const spoken = document.createElement("span");
      spoken.className = "hidden-text";
      spoken.textContent = `[${SPOKEN[kind]}]`;
      element.append(spoken);
    }
    element.append(text);
    return element;
  });
}
