# Of concurrent POSTs with the same userName, through any workers, exactly one is answered with 201 and all others with 409
# uniqueness and the id of the created user.
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

# Checks that one answer is 201 and that all others name its id; returns that id.
sub one_winner {
    my ($name, @answers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @won = grep $_->{status} == 201, @answers;
    is scalar @won, 1, "$name: one request is answered with 201 of " . @answers;
    my $id = @won ? $won[0]{json}{id} : 'none';
    my @odd = grep { $_->{status} != 201 && !($_->{status} == 409 && ($_->{json}{scimType} // '') eq 'uniqueness'
        && $_->{json}{detail} =~ /^userName "[^"]*" is taken by the User \Q$id\E /) } @answers;
    is scalar @odd, 0, "$name: all others are refused with 409 uniqueness and the id of the created user"
        or diag join "\n", map "$_->{status} $_->{body} " . ($_->{error} // ''), @odd[0 .. ($#odd < 4 ? $#odd : 4)];
    is $client->request(GET => "$users?filter=userName+eq+\"$name\"")->{json}{totalResults}, 1,
        "$name: one user with that userName exists";
    return $id;
}

# --- 1,000 POSTs that wait when the first of them gets the write lock, about half of them in each worker

my $lock = $t->hold_lock;
my @waiting = map $t->client(token => $token), 1 .. 1000;
for my $i (0 .. $#waiting) {    # PRECIS: case makes no difference to a userName
    $waiting[$i]->send(POST => $users, json => Scim::user($i % 2 ? 'ada' : 'ADA', displayName => "client $i"));
}
ok $t->wait_for(sub { $t->bodies == @waiting }), '1000 POSTs wait for the write lock';
is $client->request(GET => $users)->{json}{totalResults}, 0, 'no user exists while the POSTs wait';
$t->release($lock);
my @answers = map $_->receive, @waiting;
$_->close for @waiting;
my %worker;
$worker{ $_->{headers}{'x-pid'} // 'none' }++ for @answers;
is scalar keys %worker, 2, 'both workers have answered POSTs (' . join(' and ', sort values %worker) . ')';
my $winner = one_winner('ada', @answers);
is $client->request(GET => "$users/$winner")->{json}{displayName}, (grep $_->{status} == 201, @answers)[0]{json}{displayName},
    'the stored user is the one in the 201';

# --- 25 userNames, 40 clients for each, on kept connections

@answers = $t->concurrently(40, 1000, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => $users, json => Scim::user('race' . int($i / 40)));
    return { map { $_ => $r->{$_} } qw(status json body error) };
}, token => $token);
one_winner "race$_", @answers[40 * $_ .. 40 * $_ + 39] for 0 .. 24;

# --- PUTs with the same new userName

my @id = map $client->request(POST => $users, json => Scim::user("before$_"))->{json}{id}, 1 .. 20;
@answers = $t->concurrently(20, 20, sub {
    my ($i, $client) = @_;
    my $r = $client->request(PUT => "$users/$id[$i]", json => Scim::user('after'));
    return { map { $_ => $r->{$_} } qw(status json body error) };
}, token => $token);
my @won = grep $_->{status} == 200, @answers;
is scalar @won, 1, 'of 20 concurrent PUTs with the same userName one is answered with 200';
is scalar(grep { $_->{status} == 409 && index($_->{json}{detail}, $won[0]{json}{id}) > 0 } @answers), 19,
    '19 of 20 concurrent PUTs are refused with 409 and the id of the user that has the userName';

# --- the userName of a deleted user is free for one other user

is $client->request(DELETE => "$users/$winner")->{status}, 204, 'DELETE of the created user is answered with 204';
@answers = $t->concurrently(20, 20, sub { my $r = $_[1]->request(POST => $users, json => Scim::user('ada'));
    return { map { $_ => $r->{$_} } qw(status json body error) } }, token => $token);
isnt one_winner('ada', @answers), $winner, 'the userName of a deleted user is taken by another user';

my ($exit, $out, $err) = $t->scimctl('verify');
is $exit, 0, 'scimctl verify finds no problem' or diag $out, $err;

$t->finish;
