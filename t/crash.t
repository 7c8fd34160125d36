#!/usr/bin/perl
# Killed workers, reloads and a binary upgrade lose no acknowledged write, commit no part of a write, and leave no userName
# to two users. Each reload adds indexes, or drops them, while old workers still write. SCIM_CRASH=long kills 30 times and reloads 20 times instead of 5 and 3.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(shuffle);
use Test::More;
use Scim;

my $long = ($ENV{SCIM_CRASH} // '') eq 'long';
my ($kills, $reloads, $clients, $names) = $long ? (30, 20, 12, 60) : (5, 3, 6, 40);
my $seed = $ENV{SCIM_SEED} // time;
note "SCIM_SEED=$seed";
srand $seed;

my @stores = ('scim_store main %%DIR%%/store;', 'scim_store main %%DIR%%/store; scim_index User name.familyName displayName;');
my $t = Scim->new(workers => 3, events => 'worker_connections 1024;', http => $stores[0],
    server => 'keepalive_requests 200; location /scim/v2/ { scim main; }');
my $token = $t->seed('acme');
my ($users, $groups) = ('/scim/v2/Users', '/scim/v2/Groups');
$t->start->served($users, token => $token);

# --- the operations of the clients

# A user is { name, id, can }: `can` lists the states that it may have, as JSON, or '' for deleted; it has one element unless
# a request for the user got no answer. Each name belongs to one client, which waits for each answer.

sub content { my ($name, $revision) = @_;
    my $text = join ' ', ("$name revision $revision") x (rand() < 0.1 ? 150 : 1);    # some need overflow pages
    return Scim::user($name, displayName => $text, active => rand() < 0.5 ? JSON::PP::true : JSON::PP::false,
        name => { familyName => "f$revision" }, emails => [{ value => "$revision\@$name.example", type => 'work' }]) }

# [weight, whether it applies, the request, the state after it, the status of success]
my @operations = (
    [1, sub { !$_[0]{id} }, sub { [POST => $users, json => $_[1]] }, sub { $Scim::json->encode($_[1]) }, 201],
    [3, sub { $_[0]{id} }, sub { [PUT => "$users/$_[0]{id}", json => $_[1]] }, sub { $Scim::json->encode($_[1]) }, 200],
    [2, sub { $_[0]{id} }, sub { [PATCH => "$users/$_[0]{id}", json => patch({ op => 'replace', value => $_[1] })] },
        sub { $Scim::json->encode($_[1]) }, 200],
    [1, sub { $_[0]{id} }, sub { [DELETE => "$users/$_[0]{id}"] }, sub { '' }, 204],
);

sub patch { return { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [@_] } }

# The state of a returned user, as in `can`.
sub shown { my %user = %{ $_[0] }; delete @user{qw(id meta groups)}; return $Scim::json->encode(\%user) }

# Looks a user up by its name; sets its id, and returns what is wrong, if anything.
sub look { my ($client, $thing) = @_;
    my $r = $client->request(GET => "$users?filter=userName+eq+\"$thing->{name}\"");
    return if $r->{status} =~ /^(?:0|503)$/;    # without an answer the state is unknown
    my @found = @{ $r->{json}{Resources} // [] };
    return "$thing->{name}: " . @found . " users, status $r->{status}" if @found > 1 || $r->{status} != 200;
    my $is = @found ? shown($found[0]) : '';
    $thing->{id} = @found ? $found[0]{id} : undef;
    return "$thing->{name} is $is, not one of: @{ $thing->{can} }" if !grep $_ eq $is, @{ $thing->{can} };
    @$thing{qw(can looked)} = ([$is], 1);
    return;
}

# Does one operation on a user; returns what is wrong, if anything.
sub act { my ($client, $thing, $count) = @_;
    my @suits = map { ($_) x $_->[0] } grep { $_->[1]->($thing) } @operations;
    my (undef, undef, $request, $after, $good) = @{ $suits[rand @suits] };
    my $content = content($thing->{name}, ++$thing->{revision});
    my $result = $after->($thing, $content);
    my $r = $client->request(@{ $request->($thing, $content) });
    $count->{ $r->{status} }++;
    if ($r->{status} == $good) {
        $thing->{can} = [$result];
        $thing->{id} = $result eq '' ? undef : $r->{json}{id} // $thing->{id};
        return "$thing->{name}: answered with $r->{body}" if $r->{json} && shown($r->{json}) ne $result;
        return;
    }
    my $doubtful = @{ $thing->{can} } > 1;
    push @{ $thing->{can} }, $result and return if $r->{status} =~ /^(?:0|503)$/;
    # The user may exist, or not, because of a request without an answer.
    return look($client, $thing) if $doubtful && $r->{status} =~ /^(?:404|409)$/;
    return "$thing->{name}: unexpected $r->{status} $r->{body}";
}

# Changes the group of a client: adds or removes one member, or removes all. `in` says who is a member; undef if a request
# had no answer.
sub act_on_group { my ($client, $group, $count) = @_;
    my $who = $group->{anchors}[rand @{ $group->{anchors} }];
    my ($operation, @changed) = rand() < 0.05 ? ({ op => 'remove', path => 'members' }, map { ($_ => 0) } @{ $group->{anchors} })
        : rand() < 0.6 ? ({ op => 'add', path => 'members', value => [{ value => $who }] }, $who => 1)
        : ({ op => 'remove', path => qq(members[value eq "$who"]) }, $who => 0);
    my $status = $client->request(PATCH => "$groups/$group->{id}", json => patch($operation))->{status};
    $count->{$status}++;
    my %changed = @changed;
    $group->{in}{$_} = $status == 204 ? $changed{$_} : undef for keys %changed;
    return $status =~ /^(?:0|204|503)$/ ? () : "group $group->{id}: $status";
}

sub acknowledged { my (%count) = @_; return $count{200} + $count{201} + $count{204} }

# A group for each client, with members that are never deleted.
my @anchors = map $t->request(POST => $users, token => $token, json => Scim::user("anchor$_"))->{json}{id}, 1 .. 8;
my @groups = map +{ anchors => \@anchors, in => { map { $_ => 0 } @anchors },
    id => $t->request(POST => $groups, token => $token, json => { displayName => "group$_" })->{json}{id} }, 1 .. $clients;

my $progress = "$t->{dir}/progress";    # one byte for each acknowledged write
my $running = $t->launch($clients, $clients, sub {
    my ($i, $client) = @_;
    srand $seed + $i;
    open my $note, '>>', $progress or die "$progress: $!";
    my %count = map { $_ => 0 } 0, 200, 201, 204;
    my @things = map +{ name => "user$i-$_", id => undef, can => [''], revision => 0 }, 1 .. $names;
    my @wrong;
    while (!-e "$t->{dir}/enough" && @wrong < 5) {
        my $thing = $things[rand @things];
        my $before = acknowledged(%count);
        my $chance = rand;
        push @wrong, $chance < 0.1 ? look($client, $thing)
            : $chance < 0.3 ? act_on_group($client, $groups[$i], \%count) : act($client, $thing, \%count);
        syswrite $note, '.' if acknowledged(%count) > $before;
    }
    $t->write_file('enough', '');    # stops the other clients, if this one has found a fault
    return { things => \@things, group => $groups[$i], wrong => \@wrong, count => \%count };
}, token => $token);

# --- kills, reloads and the upgrade

my $indexed = 0;
sub reload { $t->conf(undef, http => $stores[$indexed = !$indexed]); return $t->reload }

# Waits for a random number of writes.
sub moment {
    my $at = (-s $progress // 0) + 1 + int rand 60;
    $t->wait_for(sub { (-s $progress // 0) >= $at || -e "$t->{dir}/enough" }) or die 'no progress';
    -e "$t->{dir}/enough" and die 'a client has found a fault';
}

my $stopped = !eval {
    for my $event (shuffle((qw(kill)) x $kills, ('reload') x $reloads, 'upgrade')) {
        moment();
        my @workers = $t->workers;
        $event eq 'kill' ? $t->kill_worker($workers[rand @workers]) : $event eq 'reload' ? reload() : $t->upgrade;
    }
    moment();
    1;
};
diag $@ if $stopped;
ok !$stopped, "writes continue through $kills kills, $reloads reloads and one upgrade";
$t->write_file('enough', '');
my (@things, @filled, @wrong, %count);
for my $result ($t->collect($running)) {
    push @things, @{ $result->{things} // [] };
    push @filled, $result->{group} // ();
    push @wrong, @{ $result->{wrong} // [$result->{error}] };
    $count{$_} += $result->{count}{$_} for keys %{ $result->{count} // {} };
}
is join("\n", @wrong), '', 'every answer during the events agrees with the answers before it';
note join ', ', map "$_: $count{$_}", sort keys %count;
cmp_ok acknowledged(%count), '>', 20 * ($kills + $reloads), 'many writes are acknowledged';
cmp_ok $count{0}, '<', 3 * $clients * ($kills + $reloads + 1), 'few requests get no answer';

# --- the store afterwards

my $client = $t->client(token => $token);
@wrong = ();
my $doubts = grep @{ $_->{can} } > 1, @things;
for my $thing (@things) {
    delete $thing->{looked};
    push @wrong, look($client, $thing) // ($thing->{looked} ? () : "$thing->{name}: no answer");
}
is join("\n", @wrong), '', @things . " users have the acknowledged state ($doubts had several possible ones)";
my @alive = grep $_->{id}, @things;
@wrong = grep { shown($client->request(GET => "$users/$_->{id}")->{json} // {}) ne $_->{can}[0] } @alive;
is join(' ', map $_->{name}, @wrong), '', @alive . ' users have the acknowledged state when read by id';
is $client->request(GET => "$users?count=0")->{json}{totalResults}, @alive + @anchors, 'there are no other users';
@wrong = ();
for my $group (@filled) {
    my %is = map { $_->{value} => 1 } @{ $client->request(GET => "$groups/$group->{id}")->{json}{members} // [] };
    push @wrong, grep { my $in = $group->{in}{$_}; defined $in && $in != ($is{$_} // 0) } @anchors;
}
is "@wrong", '', @filled . ' groups have the acknowledged members';
@wrong = ();
for my $thing (@alive) {
    my $r = $client->request(POST => $users, json => Scim::user($thing->{name}));
    push @wrong, "$thing->{name}: $r->{status} $r->{body}\n" if $r->{status} != 409 || index($r->{json}{detail}, $thing->{id}) < 0;
}
is join('', @wrong), '', 'a userName of an existing user cannot be taken again';
reload() if !$indexed;
ok $t->wait_for(sub { 2 == grep $_->{attribute} =~ /familyName|displayName/ && $_->{type} eq 'User' && $_->{state} eq 'ready',
    @{ $Scim::json->decode(($t->scimctl(qw(--json index list)))[1])->{indexes} } }), 'the indexes of the last configuration become ready';
$client = $t->client(token => $token);
@wrong = ();
for my $thing (@alive) {
    my $name = $Scim::json->decode($thing->{can}[0])->{displayName};
    my $found = $client->request(POST => "$users/.search", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'],
        filter => qq(displayName eq "$name"), attributes => ['id'] })->{json}{Resources} // [];
    push @wrong, $thing->{name} if "@{[map $_->{id}, @$found]}" ne $thing->{id};
}
is "@wrong", '', 'an index that was built meanwhile finds every user';
my @free = grep !$_->{id}, @things;
my @taken = grep { $client->request(POST => $users, json => Scim::user($_->{name}))->{status} != 201 } @free;
is join(' ', map $_->{name}, @taken), '', 'the userNames of ' . @free . ' deleted users can be taken again';
my ($exit, $out, $err) = $t->scimctl('verify');
is $exit, 0, 'scimctl verify finds no problem' or diag $out, $err;

$t->finish;
