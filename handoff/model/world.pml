/* What the processes share: the kernel's channels, lock and sockets, the connections, and what may never be. */

#ifndef N
#define N 3                 /* processes that may be started */
#endif
#define NOBODY N
#define BIT(p) (1 << (p))

/* Connections are bits. FIRST and SECOND are live and move as parcels, NEWCOMER waits in the queue of the listening
   socket, which every process that inherited it shares. */
#define FIRST 1
#define SECOND 2
#define NEWCOMER 4
#ifndef NEWCOMERS
#define NEWCOMERS NEWCOMER
#endif
#ifndef LIVE
#define LIVE (FIRST | SECOND)
#endif
#define EVERY (LIVE | NEWCOMERS)
#ifndef OF_CANARY
#define OF_CANARY EVERY         /* the clients that it may get before it is promoted */
#endif
#define LOWEST(set) ((set) & (~(set) + 1))

/* Frames, as in PROTOCOL.md. Hello is part of Inherit. An Offer has one parcel, so an Adopted that refuses it is Refused.
   Passed is a Trial with `passed`. Listen says how S begins. */
mtype = { Inherit, Ready, Listen, Listening, Trial, Passed, Recall, Offer, Adopted, Refused, Done, Bye,
          Returning, Returned, Abort };
#define PLAIN 0
#define ON_PROBATION 1
#define AS_CANARY 2

/* The channel n is of the conversation whose successor is n. With KEEPER there is one more, the spare of the upgrade. */
#ifdef KEEPER
#define SPARE N
#define CHANNELS (N + 1)
#else
#define CHANNELS N
#endif
chan to_successor[CHANNELS] = [5] of { mtype, byte };
chan to_predecessor[CHANNELS] = [6] of { mtype, byte };
bool shut[CHANNELS];        /* either side has closed or shut it down: nothing can be written, what is there can be read */
byte successor[N] = NOBODY; /* in whose conversation n is the predecessor */

byte lock = NOBODY;         /* the flock's holder */
byte pid_file = NOBODY;     /* whom it names */
/* The lock's file names the successor of the conversation that its holder has begun last. A process that gets the lock
   because something broke lets it go again if it finds another conversation there. */
byte heir = NOBODY;
#ifdef LOCK_WITHOUT_A_NAME
#define NAMED(s) true
#else
#define NAMED(s) (heir == s)
#endif

/* Sets of processes. */
byte dead;
byte stuck;                 /* stopped for ever; one that continues is only slow */
byte accepting;
byte is_instance;           /* what each believes of itself (Role::is_instance) */
byte succeeding;            /* in a conversation as the successor */
byte hopeful;               /* may yet become the instance if the other side dies */
byte slow;                  /* a predecessor has waited in vain for it */
byte kept;                  /* dead, and its keeper lives */
#ifdef KEEPER
byte spare_of = NOBODY;     /* the upgrade's successor */
byte spared;                /* has its end of the spare, and may yet need it */
/* Only processes 0 and 1 have a keeper. It leaves at once unless its process was the instance or had a spare. */
#define HAS_WORK(p) (p < 2 && (lock == p || successor[p] != NOBODY || (spared & BIT(p)) != 0))
#endif
byte born = 1;              /* the number started so far */
#define PARENT 7            /* as a predecessor */

/* Sets of connections. Only what is in `running` may be read and written. */
byte running[N];
byte frozen[N];
byte prepared[N];
byte refused[N];            /* served there to their end, and not offered again */
#ifdef KEEPER
/* Of the conversation: what came here by an Offer or as a client, or was taken back, and has not gone again. It outlives the
   connection itself. */
byte known[N];
byte in_doubt[N];           /* of a dead process: its neighbour may have it */
#endif

/* Ghosts: no process reads them. */
byte owned[N];              /* whose a connection is, by the rule of PROTOCOL.md */
byte queued = NEWCOMERS;
byte lost;                  /* with a process that died */
byte torn;                  /* half changed when its process died */
bool is_service_lost;       /* the instance died when no other process could have continued */

/* How often each may happen. */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef HANGS
#define HANGS 1
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef REFUSALS
#define REFUSALS 1
#endif
#ifndef UPGRADES
#define UPGRADES (N - 1)
#endif
byte upgrades = UPGRADES;
byte deaths = DEATHS;
byte hangs = HANGS;
byte cancels = CANCELS;     /* the predecessor calls the upgrade off, or the successor is told to stop */
byte refusals = REFUSALS;

byte i;
byte j;

/* No two processes may run one connection, and each owner has what it owns. */
inline check() {
  i = 0;
  do
  :: i < N ->
     assert((running[i] & torn) == 0);
     assert((owned[i] & ~(running[i] | frozen[i] | prepared[i])) == 0);
     j = i + 1;
     do
     :: j < N -> assert((running[i] & running[j]) == 0); j++
     :: else -> break
     od;
     i++
  :: else -> break
  od;
  i = 0;
  j = 0
}

/* One process at most believes that it is the instance, and that one holds the lock. */
inline become(p) {
  assert((is_instance & ~BIT(p)) == 0 && lock == p);
  is_instance = is_instance | BIT(p)
}

/* What its reader will never read. */
inline unread(channel) {
  do
  :: channel?_,_
  :: empty(channel) -> break
  od
}

/* Its end of the spare. */
inline close_spare(p) {
#ifdef KEEPER
  if
  :: p == spare_of || (spare_of != NOBODY && successor[p] == spare_of) -> shut[SPARE] = true
  :: else
  fi;
  spared = spared & ~BIT(p)
#else
  skip
#endif
}
#ifdef KEEPER
#define KNOW(p, what) known[p] = known[p] | (what)
#define FORGET(p, what) known[p] = known[p] & ~(what)
#else
#define KNOW(p, what) skip
#define FORGET(p, what) skip
#endif

/* The kernel's part of a death. */
inline bury(p) {
  lost = lost | owned[p];
  owned[p] = 0; running[p] = 0; frozen[p] = 0; prepared[p] = 0; refused[p] = 0;
  dead = dead | BIT(p);
  kept = kept & ~BIT(p);
  accepting = accepting & ~BIT(p);
  is_instance = is_instance & ~BIT(p);
  succeeding = succeeding & ~BIT(p);
  hopeful = hopeful & ~BIT(p);
  slow = slow & ~BIT(p);
  if :: lock == p -> lock = NOBODY :: else fi;
  shut[p] = true;
  close_spare(p);
  if :: successor[p] != NOBODY -> shut[successor[p]] = true; successor[p] = NOBODY :: else fi
}

inline note_loss() {
  if
#ifdef SUPERVISED
  :: true
#else
#ifdef LOSES_NOTHING
  :: true
#else
  :: lock == NOBODY && (hopeful & ~(dead | stuck)) == 0 -> is_service_lost = true
  :: else
#endif
#endif
  fi
}

/* A process that ends by itself owns nothing any more. */
inline leave(p) {
  assert(owned[p] == 0);
  bury(p)
}

/* By its predecessor or the parent. It cuts nothing that has moved, and nothing at all unless they have waited in vain. */
inline kill(p) {
  if
  :: (stuck & BIT(p)) == 0 ->
     assert((owned[p] & ~NEWCOMER) == 0);
     assert(owned[p] == 0 || (slow & BIT(p)) != 0)
  :: else
  fi;
  bury(p)
}

/* Writing a frame: it is whole in the channel or not at all. `sent` is the writer's. No channel is ever full. */
inline say(s, kind, what) {
  if
  :: shut[s] -> sent = false
  :: else -> assert(nfull(to_successor[s])); to_successor[s]!kind,what; sent = true
  fi
}
inline answer(s, kind, what) {
  if
  :: shut[s] -> sent = false
  :: else -> assert(nfull(to_predecessor[s])); to_predecessor[s]!kind,what; sent = true
  fi
}
#define ENDED(channel, s) (shut[s] && empty(channel[s]))
#define SILENT(channel, s) (!shut[s] && empty(channel[s]))
/* A deadline may pass whenever there is nothing to read. */
#ifdef PATIENT
#define TOO_LATE(channel, s) false
#else
#define TOO_LATE(channel, s) SILENT(channel, s)
#endif
