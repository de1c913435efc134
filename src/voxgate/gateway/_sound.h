/* Whole messages that surely carry sound, found where they were received: `realtime.frames.find_text` for their frames and
   `realtime.peek.find_sound` for their text, as nearly everybody writes it.

   Never more than those two let pass: whatever is written in another way is no sound here, and left to them. */

#ifndef VOXGATE_SOUND_H
#define VOXGATE_SOUND_H

#include <stdint.h>
#include <string.h>

enum { WHOLE_TEXT = 0x81, LONGEST_HEADER = 14, MOST_KINDS = 4 };
enum { LONGEST_NAME = 32, LONGEST_STRING = 256, MOST_DIGITS = 12 };

typedef struct {
    const char *text;
    Py_ssize_t size;
} Word;

/* Types of events, and the members that have their sound: `peek.SOUND`. */
static struct {
    Word type, member;
} kinds[MOST_KINDS];
static Py_ssize_t kinds_known;

typedef enum { NO_TEXT, BEGUN, WHOLE } Found;

typedef struct {
    const unsigned char *mask; /* NULL where there is none */
    Py_ssize_t begin, size, end;
} Frame;

/* A text message in one frame at `at`. BEGUN: its header is there, and not yet its end. */
static Found find_frame(const unsigned char *bytes, Py_ssize_t size, Py_ssize_t at, Frame *found) {
    if (at >= size - LONGEST_HEADER || bytes[at] != WHOLE_TEXT) return NO_TEXT;
    const int second = bytes[at + 1];
    found->size = second & 0x7F;
    found->begin = at + 2;
    if (found->size == 126) {
        found->size = bytes[at + 2] << 8 | bytes[at + 3];
        found->begin = at + 4;
    } else if (found->size == 127) {
        return NO_TEXT;
    }
    found->mask = NULL;
    if (second & 0x80) {
        found->mask = bytes + found->begin;
        found->begin += 4;
    }
    found->end = found->begin + found->size;
    return found->end <= size ? WHOLE : BEGUN;
}

static void unmask(const unsigned char *from, Py_ssize_t size, const unsigned char *mask, unsigned char *to) {
    uint64_t key, eight;
    memcpy(&key, mask, 4);
    memcpy((unsigned char *)&key + 4, mask, 4);
    Py_ssize_t at = 0;
    for (; at + 8 <= size; at += 8) {
        memcpy(&eight, from + at, 8);
        eight ^= key;
        memcpy(to + at, &eight, 8);
    }
    for (; at < size; at++) to[at] = from[at] ^ mask[at & 3];
}

static int is(const unsigned char *text, Py_ssize_t size, Word word) {
    return size == word.size && memcmp(text, word.text, (size_t)size) == 0;
}

static int is_one_of(const unsigned char *text, Py_ssize_t size) {
    const Word taken[] = {{"type", 4}, {"audio", 5}, {"delta", 5}};
    for (size_t number = 0; number < sizeof taken / sizeof *taken; number++)
        if (is(text, size, taken[number])) return 1;
    return 0;
}

static int is_letter(unsigned char one) { return one >= 'a' && one <= 'z'; }

static int is_digit(unsigned char one) { return one >= '0' && one <= '9'; }

static int is_plain(unsigned char one) {
    return is_letter(one) || is_digit(one) || (one >= 'A' && one <= 'Z') ||
           (one != '\0' && strchr("_ .:/+=-", one) != NULL);
}

/* Where the text goes on behind this, or NULL; which it also passes on. */
static const unsigned char *skip(const unsigned char *at, const unsigned char *end, const char *word) {
    const size_t size = strlen(word);
    return at != NULL && (size_t)(end - at) >= size && memcmp(at, word, size) == 0 ? at + size : NULL;
}

/* Behind a string of plain letters, or a small number. */
static const unsigned char *skip_value(const unsigned char *at, const unsigned char *end) {
    if (at == NULL || at == end) return NULL;
    const unsigned char *begin = at;
    if (*at == '"') {
        for (at++; at < end && is_plain(*at) && at - begin <= LONGEST_STRING; at++) {
        }
        return skip(at, end, "\"");
    }
    if (*at == '0') return at + 1;
    while (at < end && is_digit(*at) && at - begin < MOST_DIGITS) at++;
    return at == begin ? NULL : at;
}

/* The kind of a message that surely is sound and nothing else, and how many bytes of it; -1 where that is not sure. */
static Py_ssize_t kind_of_sound(const unsigned char *text, Py_ssize_t size, Py_ssize_t *sound) {
    const unsigned char *const end = text + size, *at = skip(text, end, "{\"type\":\""), *name = at;
    if (at == NULL) return -1;
    while (at < end && *at != '"') at++;
    Py_ssize_t kind = 0;
    while (kind < kinds_known && !is(name, at - name, kinds[kind].type)) kind++;
    if (kind == kinds_known) return -1;
    for (at = skip(at, end, "\"");; at = skip_value(at, end)) {
        if ((at = skip(at, end, ",\"")) == NULL) return -1;
        for (name = at; at < end && (is_letter(*at) || *at == '_') && at - name < LONGEST_NAME; at++) {
        }
        const Py_ssize_t letters = at - name;
        at = skip(at, end, "\":");
        if (is(name, letters, kinds[kind].member)) break;
        if (letters == 0 || is_one_of(name, letters)) return -1;
    }
    if ((at = skip(at, end, "\"")) == NULL || end - at < 2 || end[-1] != '}' || end[-2] != '"') return -1;
    const Py_ssize_t letters = end - 2 - at;
    /* Only the sound's last byte can make a quote of its own out of the one that ends it. */
    if (memchr(at, '"', (size_t)letters) != NULL || end[-3] == '\\') return -1;
    const Py_ssize_t padding = (letters > 0 && end[-3] == '=') + (letters > 1 && end[-4] == '=');
    *sound = (letters - padding) * 3 / 4;
    return kind;
}

/* One message without its mask, and what goes on where it is not what came. */
static unsigned char unmasked[1 << 16];
/* Of one thread: what sends it may let another run. */
static _Thread_local unsigned char outgoing[1 << 17];

/* What of the received bytes may go on: so many, which are so many messages with so many bytes of sound. */
typedef struct {
    Py_ssize_t end, messages, sound;
    Py_ssize_t written; /* into `outgoing`, if a type had to be replaced: all that goes on */
} Passing;

/* With another type in the place of its own, in a frame of the gateway's; 0 where it does not fit. */
static int write_renamed(const unsigned char *text, Py_ssize_t size, Word type, Word name, Passing *so_far) {
    const Py_ssize_t before = sizeof "{\"type\":\"" - 1, letters = name.size;
    const Py_ssize_t renamed = size - type.size + letters, rest = size - before - type.size;
    if (renamed > 0xFFFF || so_far->written + renamed + LONGEST_HEADER > (Py_ssize_t)sizeof outgoing) return 0;
    unsigned char *to = outgoing + so_far->written;
    *to++ = WHOLE_TEXT;
    if (renamed < 126) {
        *to++ = (unsigned char)renamed;
    } else {
        *to++ = 126;
        *to++ = (unsigned char)(renamed >> 8);
        *to++ = (unsigned char)renamed;
    }
    memcpy(to, text, (size_t)before);
    memcpy(to + before, name.text, (size_t)letters);
    memcpy(to + before + letters, text + before + type.size, (size_t)rest);
    so_far->written = to + renamed - outgoing;
    return 1;
}

static int write_as_it_is(const unsigned char *bytes, Py_ssize_t size, Passing *so_far) {
    if (so_far->written + size > (Py_ssize_t)sizeof outgoing) return 0;
    memcpy(outgoing + so_far->written, bytes, (size_t)size);
    so_far->written += size;
    return 1;
}

/* `Glance.pass_sound`, up to the first message of which anything is not sure. */
static Passing surely_passing(const unsigned char *bytes, Py_ssize_t size, long long largest, const Word *names) {
    Passing passing = {0, 0, 0, 0};
    Frame frame;
    while (find_frame(bytes, size, passing.end, &frame) == WHOLE && frame.size <= largest) {
        const unsigned char *text = bytes + frame.begin;
        if (frame.mask != NULL) {
            unmask(text, frame.size, frame.mask, unmasked);
            text = unmasked;
        }
        Py_ssize_t sound;
        const Py_ssize_t kind = kind_of_sound(text, frame.size, &sound);
        if (kind < 0 || names[kind].text == NULL) break;
        const int stays = is((const unsigned char *)names[kind].text, names[kind].size, kinds[kind].type);
        if (!stays && frame.mask != NULL) break;
        if (!stays && !passing.written && !write_as_it_is(bytes, passing.end, &passing)) break;
        if (!stays && !write_renamed(text, frame.size, kinds[kind].type, names[kind], &passing)) break;
        if (stays && passing.written && !write_as_it_is(bytes + passing.end, frame.end - passing.end, &passing)) break;
        passing.messages++;
        passing.sound += sound;
        passing.end = frame.end;
    }
    return passing;
}

#endif
