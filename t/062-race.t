#!/usr/bin/perl
# However many create one userName at once, through whichever workers: exactly one is told 201, and all others 409
# uniqueness with the id of that one.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(workers => 2, events => 'worker_connections 4096;', http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store;
    add_header X-Pid $pid always;
EOC
    location /scim/v2/ { scim main; client_body_in_file_only clean; }
EOS
my $token = $t->seed('acme');
my $users = '/scim/v2/Users';
$t->start->served($users, token => $token);
my $client = $t->client(token => $token);

# One winner among the answers; none of the others may leave anything in doubt. Returns the winner's id.
sub one_winner {
    my ($name, @answers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @won = grep $_->{status} == 201, @answers;
    is scalar @won, 1, "$name: one is created of " . @answers;
    my $id = @won ? $won[0]{json}{id} : 'none';
    my @odd = grep { $_->{status} != 201 && !($_->{status} == 409 && ($_->{json}{scimType} // '') eq 'uniqueness'
        && $_->{json}{detail} =~ /^userName "[^"]*" is taken by the User \Q$id\E /) } @answers;
    is scalar @odd, 0, "$name: the others are 409 uniqueness and name the winner"
        or diag join "\n", map "$_->{status} $_->{body} " . ($_->{error} // ''), @odd[0 .. ($#odd < 4 ? $#odd : 4)];
    is $client->request(GET => "$users?filter=userName+eq+\"$name\"")->{json}{totalResults}, 1, "$name: one is found";
    return $id;
}

# --- 1,000 that all wait when the first of them is planned: half of them with each worker, more or less

my $lock = $t->hold_lock;
my @waiting = map $t->client(token => $token), 1 .. 1000;
for my $i (0 .. $#waiting) {    # PRECIS: case makes no difference to a userName
    $waiting[$i]->send(POST => $users, json => Scim::user($i % 2 ? 'ada' : 'ADA', displayName => "client $i"));
}
ok $t->wait_for(sub { $t->bodies == @waiting }), '1,000 creates wait';
is $client->request(GET => $users)->{json}{totalResults}, 0, 'none has happened';
$t->release($lock);
my @answers = map $_->receive, @waiting;
$_->close for @waiting;
my %worker;
$worker{ $_->{headers}{'x-pid'} // 'none' }++ for @answers;
is scalar keys %worker, 2, 'both workers have answered (' . join(' and ', sort values %worker) . ')';
my $winner = one_winner('ada', @answers);
is $client->request(GET => "$users/$winner")->{json}{displayName}, (grep $_->{status} == 201, @answers)[0]{json}{displayName},
    'the user is the one that was answered';

# --- 25 userNames, 40 clients for each, on connections that are kept

@answers = $t->concurrently(40, 1000, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => $users, json => Scim::user('race' . int($i / 40)));
    return { map { $_ => $r->{$_} } qw(status json body error) };
}, token => $token);
one_winner "race$_", @answers[40 * $_ .. 40 * $_ + 39] for 0 .. 24;

# --- a replace is no way round it

my @id = map $client->request(POST => $users, json => Scim::user("before$_"))->{json}{id}, 1 .. 20;
@answers = $t->concurrently(20, 20, sub {
    my ($i, $client) = @_;
    my $r = $client->request(PUT => "$users/$id[$i]", json => Scim::user('after'));
    return { map { $_ => $r->{$_} } qw(status json body error) };
}, token => $token);
my @won = grep $_->{status} == 200, @answers;
is scalar @won, 1, 'one of twenty replaces takes the name';
is scalar(grep { $_->{status} == 409 && index($_->{json}{detail}, $won[0]{json}{id}) > 0 } @answers), 19, 'the others are told who has it';

# --- deleted, it is free again, once

is $client->request(DELETE => "$users/$winner")->{status}, 204, 'the winner is deleted';
@answers = $t->concurrently(20, 20, sub { my $r = $_[1]->request(POST => $users, json => Scim::user('ada'));
    return { map { $_ => $r->{$_} } qw(status json body error) } }, token => $token);
isnt one_winner('ada', @answers), $winner, 'its name goes to another';

my ($exit, $out, $err) = $t->scimctl('verify');
is $exit, 0, 'scimctl verify' or diag $out, $err;

$t->finish;
