#!/usr/bin/perl
# scimctl token list tells when a token was last used: it is written once an hour and token, soon, though nobody changes
# anything; strangers and who is turned away cause no write, and nothing is left of a tenant that is removed.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::Local qw(timegm);
use Scim;

my $json = $Scim::json;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    location /scim/v2/ { scim main; client_body_in_file_only clean; }
    location /off/ { scim main; scim_auth off; scim_tenant acme; }
EOS
my %token = (first => $t->seed('acme', label => 'first'));
$token{$_} = $t->token('acme', label => $_) for qw(second third idle);
$token{later} = $t->token('acme', label => 'later', 'not-before' => '2d');
$t->start;
my $users = '/scim/v2/Users';
sub status { my ($token, $method, %o) = @_; return $t->request($method // 'GET', $users, token => $token, %o)->{status} }
sub commit { return +($t->poke('commit'))[1] + 0 }

# The last use of each token of a tenant that has one, by its label.
sub used {
    my ($tenant) = @_;
    my ($exit, $out, $err) = $t->scimctl(qw(token list --json --tenant), $tenant // 'acme');
    $exit == 0 or die "scimctl token list: $exit $err";
    return { map { $_->{lastUsed} ? ($_->{label} => $_->{lastUsed}) : () } @{ $json->decode($out)->{tokens} } };
}

# Long before a minute has passed, when a worker that nobody asks anything looks around.
sub recorded { my ($label) = @_; return $t->wait_for(sub { used()->{$label} }, 20) }

is_deeply used(), {}, 'at first none was used';
my $before = commit();
is status($token{first}), 200, 'a request that only reads';
ok recorded('first'), 'is recorded soon';
is join(' ', keys %{ used() }), 'first', 'of its token alone';
my $first = used()->{first};
my ($year, $month, @rest) = $first =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.\d{3}Z\z/;
cmp_ok abs(timegm(reverse(@rest), $month - 1, $year) - time), '<', 600, 'with the time';
is commit(), $before + 1, 'by one commit';

# What would have been written is written when the second token's use is: chores take all that waits.
is join(' ', map status($_), ($token{first}) x 3, "x$token{first}", 'nonsense', $token{later}), '200 200 200 401 401 401',
    'the token again, and strangers';
is $t->request(GET => '/off/Users')->{status}, 200, 'and who needs none';
is status($token{second}), 200, 'another token';
ok recorded('second'), 'is recorded';
is commit(), $before + 2, 'by one commit, and nothing else was written';
is used()->{first}, $first, 'the first within its hour only once';
is join(' ', sort keys %{ used() }), 'first second', 'and strangers not at all';

my ($exit, $out) = $t->scimctl(qw(token list --tenant acme));
like $out, qr/^Token 1 "first" .*: live, created \S+, last used \Q$first\E$/m, 'in words';
like $out, qr/^Token 4 "idle" .*: live, created \S+, last used never$/m, 'and what never was used';

# A change takes it along.
is status($token{third}, 'POST', json => Scim::user('ada')), 201, 'a write';
ok used()->{third}, 'is recorded with what it writes';
is commit(), $before + 3, 'by that commit';

# One that comes while another is under way goes with the next batch.
$token{busy} = $t->token('acme', label => 'busy');
my $lock = $t->hold_lock;
my @clients = map $t->client(token => $token{$_}), qw(first busy);
$_->send(POST => $users, json => Scim::user("busy$_")) for @clients;
ok $t->wait_for(sub { $t->bodies == 2 }), 'two writes wait, one of them for the other';
$t->release($lock);
is join(' ', map $_->receive->{status}, @clients), '201 201', 'both are answered';
ok used()->{busy}, 'and a use that came meanwhile is recorded';

$before = commit();
ok $t->reload(gone => 1), 'a new worker';
is status($token{first}), 200, 'is asked with a known token';
is status($token{idle}), 200, 'and with a new one';
ok recorded('idle'), 'which is recorded';
is commit(), $before + 1, 'that alone: what the old worker has written counts';

is +($t->scimctl('verify'))[0], 0, 'the store is sound';
is +($t->scimctl(qw(tenant remove acme --yes)))[0], 0, 'the tenant is removed';
is +($t->scimctl('verify'))[0], 0, 'and nothing of it is left';
is +($t->poke(qw(count local)))[1], "0\n", 'not even that';

$t->finish;
