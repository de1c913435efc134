/* The paced load of `load.py`, compiled: both ends of every call, what each sends and when, and the check of
   every byte that arrives. Python opens the calls and hands over their sockets; from then on a message costs
   little more than its system calls, so that fifteen hundred calls leave the load's core room for others.

   It knows plain TCP and text messages. A relay may mask anew and cut messages into other frames; one that
   writes the JSON anew is measured with the load in Python. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STAMP_BYTES = 28, NUMBER_DIGITS = 8, MOST_EVENTS = 256, MOST_AT_ONCE = 16, CONTROL = 8, PING = 9 };
enum { BUFFER_BYTES = 256 << 10, MOST_HEAD = 14 };

/* What the kernel keeps for an end while the load does something else. */
enum { KEPT_BYTES = 1 << 20 };

/* How often the load looks for what has arrived. When it did, the kernel says: to be woken for every message would
   cost both cores more than relaying it. */
enum { LOOK_NS = 1000 * 1000 };

/* The load's timer. What is due in between goes out together: to set the timer for every message was a third of the
   load's work on a virtual machine. */
enum { TICK_NS = 250 * 1000 };

/* What is on the way in one direction of a call, the oldest first. */
struct stamp {
    uint8_t text[STAMP_BYTES];
    int64_t sent_ns;
};

struct way {
    struct stamp *ring;
    uint32_t size, first, count; /* size is a power of two */
};

/* Times, as many as there come. */
struct times {
    int64_t *ns;
    uint64_t count, size;
};

/* The message that an end receives, as far as it has come. */
struct incoming {
    uint8_t head[MOST_HEAD];
    uint32_t head_bytes;   /* of this frame's head so far */
    uint64_t left;         /* of this frame's payload */
    uint64_t at;           /* of the message, over all its frames */
    uint32_t mask_at;
    uint8_t control[125];
    uint32_t control_bytes;
    int in_payload, bad;
};

struct end {
    int fd, masked, lost, direction; /* 0 up, 1 down: of what it sends */
    uint8_t *frames;                 /* all of a burst; the stamps are written in */
    uint32_t frame_bytes, stamp_at, burst, number;
    uint8_t *expected;               /* the message that the other end sends, without its stamp */
    uint64_t expected_bytes, expected_stamp_at;
    uint8_t *pending;
    uint64_t pending_at, pending_bytes, pending_size;
    struct incoming in;
    struct way way; /* of what it sends */
};

struct voice {
    int poll;
    int64_t behind_real_ns; /* how far the clock of the latencies is behind that of the kernel's stamps */
    int64_t counted_from_ns; /* latencies of messages that were sent before are not noted */
    uint32_t count, size;
    struct end *ends; /* caller, provider, caller, provider... */
    uint8_t *buffer;
};

struct result {
    uint64_t sent[2], received[2], wrong[2];
    uint64_t lost_callers;
    double seconds;
    struct times latencies, late;
};

static int64_t ns_of(const struct timespec *at) { return at->tv_sec * 1000000000LL + at->tv_nsec; }

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ns_of(&now);
}

/* The closest of a few readings: the load may be interrupted between the two clocks. */
static int64_t behind_real_ns(void) {
    int64_t best = INT64_MAX, difference = 0;
    for (int i = 0; i < 16; i++) {
        struct timespec real;
        int64_t before = now_ns(), after;
        clock_gettime(CLOCK_REALTIME, &real);
        after = now_ns();
        if (after - before < best) best = after - before, difference = ns_of(&real) - (before + best / 2);
    }
    return difference;
}

static void *grown(void *data, uint64_t bytes) {
    data = realloc(data, bytes);
    if (!data) abort();
    return data;
}

static void note(struct times *times, int64_t ns) {
    if (times->count == times->size) {
        times->size = times->size ? times->size * 2 : 1 << 16;
        times->ns = grown(times->ns, times->size * sizeof *times->ns);
    }
    times->ns[times->count++] = ns;
}

static struct stamp *put(struct way *way) {
    if (way->count == way->size) {
        uint32_t size = way->size ? way->size * 2 : 16;
        struct stamp *ring = grown(NULL, size * sizeof *ring);
        for (uint32_t i = 0; i < way->count; i++) ring[i] = way->ring[(way->first + i) & (way->size - 1)];
        free(way->ring);
        way->ring = ring, way->size = size, way->first = 0;
    }
    return &way->ring[(way->first + way->count++) & (way->size - 1)];
}

static void digits(uint8_t *text, int count, uint64_t value) {
    while (count--) text[count] = '0' + value % 10, value /= 10;
}

struct voice *voice_new(void) {
    struct voice *voice = calloc(1, sizeof *voice);
    if (!voice) abort();
    voice->poll = epoll_create1(EPOLL_CLOEXEC);
    voice->buffer = grown(NULL, BUFFER_BYTES);
    return voice;
}

static uint8_t *copied(const uint8_t *data, uint64_t bytes) {
    return memcpy(grown(NULL, bytes), data, bytes);
}

/* `frame` is one as it is sent, with room for its stamp; `expected` is the payload that the other end sends. */
void voice_add(struct voice *voice, int fd, int masked, int direction, uint32_t burst, const uint8_t *frame,
               uint32_t frame_bytes, uint32_t stamp_at, const uint8_t *expected, uint64_t expected_bytes,
               uint64_t expected_stamp_at) {
    if (voice->count == voice->size) {
        voice->size = voice->size ? voice->size * 2 : 64;
        voice->ends = grown(voice->ends, voice->size * sizeof *voice->ends);
    }
    struct end *end = &voice->ends[voice->count];
    memset(end, 0, sizeof *end);
    end->fd = fd, end->masked = masked, end->direction = direction;
    end->burst = burst, end->frame_bytes = frame_bytes, end->stamp_at = stamp_at;
    end->frames = grown(NULL, (uint64_t)burst * frame_bytes);
    for (uint32_t i = 0; i < burst; i++) memcpy(end->frames + (uint64_t)i * frame_bytes, frame, frame_bytes);
    end->expected = copied(expected, expected_bytes);
    end->expected_bytes = expected_bytes, end->expected_stamp_at = expected_stamp_at;
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int){1}, sizeof(int));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){KEPT_BYTES}, sizeof(int)))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){KEPT_BYTES}, sizeof(int));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = voice->count++};
    epoll_ctl(voice->poll, EPOLL_CTL_ADD, fd, &event);
}

static void watch(struct voice *voice, struct end *end, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(end - voice->ends)};
    epoll_ctl(voice->poll, EPOLL_CTL_MOD, end->fd, &event);
}

static void give_up(struct voice *voice, struct end *end) {
    if (end->lost) return;
    end->lost = 1;
    end->pending_at = end->pending_bytes = 0;
    epoll_ctl(voice->poll, EPOLL_CTL_DEL, end->fd, NULL);
}

/* How much went out; all of it when the connection is lost. */
static uint64_t sent_now(struct voice *voice, struct end *end, const uint8_t *data, uint64_t bytes) {
    ssize_t done = send(end->fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done >= 0) return done;
    if (errno == EAGAIN || errno == EINTR) return 0;
    give_up(voice, end);
    return bytes;
}

static void write_out(struct voice *voice, struct end *end, const uint8_t *data, uint64_t bytes) {
    if (end->lost) return;
    if (!end->pending_bytes) {
        uint64_t done = sent_now(voice, end, data, bytes);
        data += done, bytes -= done;
        if (!bytes) return;
        watch(voice, end, EPOLLIN | EPOLLOUT);
        end->pending_at = 0;
    }
    uint64_t needed = end->pending_at + end->pending_bytes + bytes;
    if (needed > end->pending_size) {
        end->pending_size = needed * 2;
        end->pending = grown(end->pending, end->pending_size);
    }
    memcpy(end->pending + end->pending_at + end->pending_bytes, data, bytes);
    end->pending_bytes += bytes;
}

static void flush(struct voice *voice, struct end *end) {
    uint64_t done = sent_now(voice, end, end->pending + end->pending_at, end->pending_bytes);
    if (end->lost) return;
    end->pending_at += done, end->pending_bytes -= done;
    if (!end->pending_bytes) watch(voice, end, EPOLLIN);
}

static void speak(struct voice *voice, struct end *end, struct result *result) {
    int64_t now = now_ns();
    for (uint32_t i = 0; i < end->burst; i++) {
        struct stamp *stamp = put(&end->way);
        digits(stamp->text, NUMBER_DIGITS, end->number++);
        stamp->text[NUMBER_DIGITS] = '-';
        digits(stamp->text + NUMBER_DIGITS + 1, STAMP_BYTES - NUMBER_DIGITS - 1, now);
        stamp->sent_ns = now;
        memcpy(end->frames + (uint64_t)i * end->frame_bytes + end->stamp_at, stamp->text, STAMP_BYTES);
    }
    result->sent[end->direction] += end->burst;
    write_out(voice, end, end->frames, (uint64_t)end->burst * end->frame_bytes);
}

/* Whether these bytes of the message, from `at` on, are those that were sent. */
static int as_sent(const struct end *end, const struct stamp *stamp, uint64_t at, const uint8_t *data,
                   uint64_t bytes) {
    uint64_t whole = end->expected_bytes + STAMP_BYTES;
    if (!stamp || at + bytes > whole) return 0;
    const struct { const uint8_t *data; uint64_t begin, stop; } parts[] = {
        {end->expected, 0, end->expected_stamp_at},
        {stamp->text, end->expected_stamp_at, end->expected_stamp_at + STAMP_BYTES},
        {end->expected + end->expected_stamp_at, end->expected_stamp_at + STAMP_BYTES, whole},
    };
    for (int i = 0; i < 3; i++) {
        uint64_t begin = at > parts[i].begin ? at : parts[i].begin;
        uint64_t stop = at + bytes < parts[i].stop ? at + bytes : parts[i].stop;
        if (begin < stop && memcmp(data + (begin - at), parts[i].data + (begin - parts[i].begin), stop - begin))
            return 0;
    }
    return 1;
}

static void message_done(const struct voice *voice, struct end *end, struct end *other, struct result *result,
                         int64_t now) {
    struct way *way = &other->way;
    int64_t sent_ns = way->count ? way->ring[way->first].sent_ns : 0;
    int whole = end->in.at == end->expected_bytes + STAMP_BYTES;
    result->received[other->direction]++;
    if (end->in.bad || !whole || !way->count) result->wrong[other->direction]++;
    else if (sent_ns >= voice->counted_from_ns) note(&result->latencies, now - sent_ns);
    if (way->count) way->first = (way->first + 1) & (way->size - 1), way->count--;
    end->in.at = 0, end->in.bad = 0;
}

static uint32_t head_needed(const struct incoming *in) {
    if (in->head_bytes < 2) return 2;
    uint32_t size = in->head[1] & 0x7f, masked = in->head[1] & 0x80 ? 4 : 0;
    return 2 + (size == 126 ? 2 : size == 127 ? 8 : 0) + masked;
}

static void begin_payload(struct incoming *in) {
    uint32_t size = in->head[1] & 0x7f, more = size == 126 ? 2 : size == 127 ? 8 : 0;
    in->left = more ? 0 : size;
    for (uint32_t i = 0; i < more; i++) in->left = in->left << 8 | in->head[2 + i];
    in->in_payload = 1, in->mask_at = 0, in->control_bytes = 0;
}

static void unmask(struct incoming *in, uint8_t *data, uint64_t bytes) {
    if (!(in->head[1] & 0x80)) return;
    const uint8_t *mask = in->head + in->head_bytes - 4;
    if (mask[0] | mask[1] | mask[2] | mask[3])
        for (uint64_t i = 0; i < bytes; i++) data[i] ^= mask[(in->mask_at + i) & 3];
    in->mask_at = (in->mask_at + bytes) & 3;
}

static void answer_ping(struct voice *voice, struct end *end) {
    uint8_t frame[6 + sizeof end->in.control];
    uint32_t head = end->masked ? 6 : 2;
    memset(frame, 0, head); /* the mask 0 */
    frame[0] = 0x80 | 10, frame[1] = end->in.control_bytes | (end->masked ? 0x80 : 0);
    memcpy(frame + head, end->in.control, end->in.control_bytes);
    write_out(voice, end, frame, head + end->in.control_bytes);
}

static void frame_done(struct voice *voice, struct end *end, struct end *other, struct result *result,
                       int64_t now) {
    struct incoming *in = &end->in;
    int opcode = in->head[0] & 0x0f;
    in->in_payload = 0, in->head_bytes = 0;
    if (opcode == PING) answer_ping(voice, end);
    else if (opcode < CONTROL && in->head[0] & 0x80) message_done(voice, end, other, result, now);
}

static void take_payload(struct end *end, struct end *other, uint8_t *data, uint64_t bytes) {
    struct incoming *in = &end->in;
    unmask(in, data, bytes);
    if ((in->head[0] & 0x0f) >= CONTROL) {
        for (uint64_t i = 0; i < bytes && in->control_bytes < sizeof in->control; i++)
            in->control[in->control_bytes++] = data[i];
    } else {
        const struct way *way = &other->way;
        const struct stamp *stamp = way->count ? &way->ring[way->first] : NULL;
        in->bad |= !as_sent(end, stamp, in->at, data, bytes);
        in->at += bytes;
    }
    in->left -= bytes;
}

/* `arrived` is when the last of these bytes was there. */
static void feed(struct voice *voice, struct end *end, uint8_t *data, uint64_t bytes, int64_t arrived,
                 struct result *result) {
    struct end *other = &voice->ends[(end - voice->ends) ^ 1];
    struct incoming *in = &end->in;
    while (bytes || (in->in_payload && !in->left)) {
        if (!in->in_payload) {
            in->head[in->head_bytes++] = *data++, bytes--;
            if (in->head_bytes >= 2 && in->head_bytes == head_needed(in)) begin_payload(in);
        } else {
            uint64_t part = bytes < in->left ? bytes : in->left;
            if (part) take_payload(end, other, data, part);
            data += part, bytes -= part;
            if (!in->left) frame_done(voice, end, other, result, arrived);
        }
    }
}

/* When the kernel had the last bytes that were read. What the load itself then waits for its core is not the
   relay's: clients on machines of their own would not wait. */
static int64_t arrival_ns(const struct voice *voice, struct msghdr *message) {
    for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one; one = CMSG_NXTHDR(message, one))
        if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(one), sizeof stamp);
            return ns_of(&stamp) - voice->behind_real_ns;
        }
    return now_ns();
}

static void hear(struct voice *voice, struct end *end, struct result *result) {
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof(struct timespec))];
    } control;
    struct iovec into = {voice->buffer, BUFFER_BYTES};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t size = recvmsg(end->fd, &message, MSG_DONTWAIT);
    if (size > 0) feed(voice, end, voice->buffer, size, arrival_ns(voice, &message), result);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR)) give_up(voice, end);
}

static void look(struct voice *voice, int64_t wait_ns, struct result *result) {
    struct epoll_event events[MOST_EVENTS];
    wait_ns = wait_ns > 0 ? wait_ns : 0;
    struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
    int count = epoll_pwait2(voice->poll, events, MOST_EVENTS, &wait, NULL);
    for (int i = 0; i < count; i++) {
        struct end *end = &voice->ends[events[i].data.u32];
        if (events[i].events & EPOLLOUT) flush(voice, end);
        if (events[i].events & ~EPOLLOUT && !end->lost) hear(voice, end, result);
    }
}

static void sleep_until(int64_t at_ns) {
    struct timespec at = {at_ns / 1000000000, at_ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* The first tick that is not earlier. */
static int64_t ticks(int64_t after_ns) { return (after_ns + TICK_NS - 1) / TICK_NS * TICK_NS; }

static uint64_t heard(const struct result *result) { return result->received[0] + result->received[1]; }

/* Until all that was sent has arrived, or nothing more comes for so long. */
static void settle(struct voice *voice, int64_t quiet_ns, struct result *result) {
    int64_t since = now_ns();
    while (heard(result) < result->sent[0] + result->sent[1] && now_ns() - since < quiet_ns) {
        uint64_t before = heard(result);
        look(voice, 50000000, result);
        if (heard(result) != before) since = now_ns();
    }
}

/* Carries out the plan of a second again and again: at `due_ns[i]` of each second the end `who[i]` speaks. Of the
   messages of the warm-up everything is checked and counted but how long they took. */
void voice_run(struct voice *voice, const int64_t *due_ns, const uint32_t *who, uint64_t count,
               double seconds, double quiet_seconds, double warm_up_seconds, struct result *result) {
    memset(result, 0, sizeof *result);
    voice->behind_real_ns = behind_real_ns();
    int64_t begin = now_ns(), second = begin, next_look = begin, stop = begin + (int64_t)(seconds * 1e9);
    voice->counted_from_ns = begin + (int64_t)(warm_up_seconds * 1e9);
    uint64_t position = 0;
    int64_t due = count ? second + due_ns[0] : stop;
    while (due < stop) {
        int64_t now = now_ns();
        for (int i = 0; i < MOST_AT_ONCE && due < now && due < stop; i++) {
            note(&result->late, now - due);
            speak(voice, &voice->ends[who[position]], result);
            if (++position == count) position = 0, second += 1000000000;
            due = second + due_ns[position];
        }
        if (now >= next_look) look(voice, 0, result), next_look = now + LOOK_NS;
        else if (due > now) sleep_until(begin + ticks((due < next_look ? due : next_look) - begin));
    }
    result->seconds = (now_ns() - begin) / 1e9;
    settle(voice, (int64_t)(quiet_seconds * 1e9), result);
    for (uint32_t i = 0; i < voice->count; i += 2) result->lost_callers += voice->ends[i].lost;
}

/* The sockets stay open: they are Python's. */
void voice_free(struct voice *voice, struct result *result) {
    for (uint32_t i = 0; i < voice->count; i++) {
        free(voice->ends[i].frames), free(voice->ends[i].expected);
        free(voice->ends[i].pending), free(voice->ends[i].way.ring);
    }
    close(voice->poll);
    free(voice->ends), free(voice->buffer);
    free(result->latencies.ns), free(result->late.ns);
    free(voice);
}
