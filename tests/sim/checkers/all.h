// Every checker of the simulation. Each file here is one law or one group of promises.
#pragma once

#include "tests/sim/checker.h"

namespace cluster::sim {

std::unique_ptr<Checker> OneWriter(World* world);      // law 1
std::unique_ptr<Checker> ForwardPhases(World* world);  // law 2, and that an end never changes
std::unique_ptr<Checker> Acknowledged(World* world);   // law 4
std::unique_ptr<Checker> TrueEnds(World* world);       // law 5: no end without a reason, none lost
std::unique_ptr<Checker> OneHolder(World* world);      // law 8
std::unique_ptr<Checker> Room(World* world);           // law 9
std::unique_ptr<Checker> Reasons(World* world);        // law 10
std::unique_ptr<Checker> Rollouts(World* world);       // maxSurge, maxUnavailable, replicas
std::unique_ptr<Checker> Disruptions(World* world);    // PodDisruptionBudgets
std::unique_ptr<Checker> Drains(World* world);         // out of the routes before the end
std::unique_ptr<Checker> Jobs(World* world);           // what Jobs count
std::unique_ptr<Checker> CronJobs(World* world);       // one Job for each time
std::unique_ptr<Checker> Sets(World* world);           // order, one per node
std::unique_ptr<Checker> Places(World* world);         // taints, neighbours, ports, preemption
std::unique_ptr<Checker> Namespaces(World* world);     // and their quotas
std::unique_ptr<Checker> Revisions(World* world);      // automatic rollback, data of revisions
std::unique_ptr<Checker> Autoscale(World* world);      // replicas after the load
std::unique_ptr<Checker> Brake(World* world);          // I13: many lost at once
std::unique_ptr<Checker> CleanReturns(World* world);   // of nodes that were lost
std::unique_ptr<Checker> NoIdleWork(World* world);     // no write and no message for nothing
std::unique_ptr<Checker> NoGap(World* world);          // watches
std::unique_ptr<Checker> Rest(World* world);           // all is as wanted, law 3

Checkers AllCheckers(World* world);

}  // namespace cluster::sim
