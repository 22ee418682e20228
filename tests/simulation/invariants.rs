//! What holds in every life, each with a mutant that breaks it (`mutants.rs`).

/// What is claimed of every life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invariant {
    /// Never two runs of one child are alive, leftovers included.
    OneRun,
    /// Nothing starts that a person stopped, that is not configured, or that lacks a
    /// requirement; and nothing at all while everything ends.
    NothingUnwantedStarts,
    /// In calm, every wanted child with a working program comes up, or is over for a
    /// reason that was told; and what is not wanted is down.
    NothingForgotten,
    /// No automatic restart that was not announced and charged, and never more of those
    /// in any window than the budget allows.
    BudgetHolds,
    /// What was given up rests until a person, a reload or a reboot; what is parked, until
    /// its time.
    GivenUpRests,
    /// Nothing is given up whose budget is not spent.
    SpentBeforeGivenUp,
    /// Whoever is asked to end and has a stop-timeout is killed when it is over.
    StopEnds,
    /// No signal goes to a run that is over.
    OnlyTheLivingAreSignalled,
    /// Each wait is first · factor^(n-1), at most `longest`, and is kept.
    DelaysFollow,
    /// Recovered is said of what was up, with no check critical, for `settle`, and of
    /// nothing else.
    SettledIsSettled,
    /// An end that we asked for, or of what is not wanted any more, is never charged.
    AskedIsUncharged,
    /// Each order gets exactly one answer, and only orders do.
    OneAnswer,
    /// What an order changed is written in the same batch.
    AcceptedIsSaved,
    /// One probe of a check is made at a time, and only of what lives; so is a look whether
    /// it lives.
    ProbesTakeTurns,
    /// Nobody is ended for a check that was not critical so often in a row since the start,
    /// or for a watchdog whose time is not over; and nobody who is being ended already.
    EndedForAReason,
    /// Whose check is critical so often in a row is ended where that was asked for, and who
    /// was silent for too long is, at once.
    SickAreEnded,
    /// A save that nobody waits for comes a minute after the last.
    SavesAreRare,
    /// What a new supervisor remembers is what the old one wrote; and what it is doing, where
    /// it takes over in the same process.
    MemoryReadBack,
    /// A tick before the deadline does nothing.
    DeadlineHonest,
    /// After a shutdown the end comes, once, in time, and leaves nothing unkilled behind.
    EndComes,
    /// While everything ends, whoever is used is asked after its users are gone.
    DependentsStopFirst,
    /// One event causes a bounded number of actions, and a calm life comes to rest.
    Bounded,
    /// Nothing impossible happens.
    NoAlarm,
    /// A run that another sup has started is known, or gone: no process is at rest of which
    /// nobody knows.
    AdoptedAreKept,
    /// At rest nothing is due but looks at health, where all programs work.
    Quiet,
    /// Not many deadlines in one instant.
    NoStorm,
    /// The instances are those that people, or else the configuration, asked for.
    ScaleStands,

    // Of groups.
    /// No member is asked to end by its group while one behind it is alive.
    GroupsStopBackwards,
    /// No member starts with its group while one before it is on its way, or is to be.
    GroupsStartInOrder,
    /// A member that is restarted in one-for-all or rest-for-one takes others along, and
    /// none of those stays up through it.
    SharesFate,
    /// Nobody is taken along who stands before the failed member, or in another strategy.
    OthersAreSpared,
    /// What is temporary does not come back in a restart of its group.
    TemporariesStayDown,
    /// A group restart waits for as long as the failed member does.
    GroupWaits,
    /// Never more restarts are charged to a group in any window than its budget allows.
    GroupBudgetHolds,
    /// No group fails whose budget is not spent, but for a member that escalates.
    GroupSpentBeforeFailed,
    /// Nothing of a group that gave up starts until a person or a reboot; of a parked one,
    /// until its time.
    GroupGivenUpRests,
    /// Nothing of a group that a person stopped starts.
    GroupWordStands,
    /// A failed group is one failure of its parent: one restart, or the parent fails.
    EscalatesOnce,
    /// When the root fails, everything ends, without success; else with it.
    RootFailureEnds,
    /// A significant member that ends by itself ends its group, as that says, and nothing
    /// else does.
    SignificantEnds,
    /// Nothing of a group that has ended by itself starts.
    DoneRests,
    /// Recovered is said of groups to which nothing was charged for `settle`.
    SettledGroupsAreCalm,
}
