#!/usr/bin/perl
# scimctl token list prints when a token was last used. The use is stored once an hour and token, shortly after the request,
# also without a change; unknown and refused tokens cause no write, and the uses of a removed tenant are deleted.

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

# The last use by label, of the tokens of a tenant that have one.
sub used {
    my ($tenant) = @_;
    my ($exit, $out, $err) = $t->scimctl(qw(token list --json --tenant), $tenant // 'acme');
    $exit == 0 or die "scimctl token list: $exit $err";
    return { map { $_->{lastUsed} ? ($_->{label} => $_->{lastUsed}) : () } @{ $json->decode($out)->{tokens} } };
}

# Waits for the stored use of a token, for much less than the minute after which an idle worker would look for work.
sub recorded { my ($label) = @_; return $t->wait_for(sub { used()->{$label} }, 20) }

is_deeply used(), {}, 'new tokens have no last use';
my $before = commit();
is status($token{first}), 200, 'GET with the first token is answered with 200';
ok recorded('first'), 'the use of a token by a read is stored';
is join(' ', keys %{ used() }), 'first', 'only the token of the request has a last use';
my $first = used()->{first};
my ($year, $month, @rest) = $first =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.\d{3}Z\z/;
cmp_ok abs(timegm(reverse(@rest), $month - 1, $year) - time), '<', 600, 'the last use has the time of the request';
is commit(), $before + 1, 'the use of a token is stored by one commit';

# A use by these requests would be stored together with the use of the second token: maintenance stores all uses that wait.
is join(' ', map status($_), ($token{first}) x 3, "x$token{first}", 'nonsense', $token{later}), '200 200 200 401 401 401',
    'GET with the first token again is answered with 200, with unknown and not yet valid tokens with 401';
is $t->request(GET => '/off/Users')->{status}, 200, 'GET without a token is answered with 200 where scim_auth is off';
is status($token{second}), 200, 'GET with the second token is answered with 200';
ok recorded('second'), 'the use of the second token is stored';
is commit(), $before + 2, 'the use of the second token is stored by one commit and nothing else is';
is used()->{first}, $first, 'the use of a token is stored once within an hour';
is join(' ', sort keys %{ used() }), 'first second', 'unknown and not yet valid tokens have no last use';

my ($exit, $out) = $t->scimctl(qw(token list --tenant acme));
like $out, qr/^1 +first +live .* \Q$first\E +-$/m, 'token list prints the last use of a token';
like $out, qr/^4 +idle +live .* - +- +-$/m, 'token list prints "-" for an unused token';

# A write stores the use in its own transaction.
is status($token{third}, 'POST', json => Scim::user('ada')), 201, 'POST with the third token is answered with 201';
ok used()->{third}, 'the use of a token by a write is stored with the write';
is commit(), $before + 3, 'the use of a token by a write is stored by the commit of the write';

# The use by a write that waits for a batch is stored with the next batch.
$token{busy} = $t->token('acme', label => 'busy');
my $lock = $t->hold_lock;
my @clients = map $t->client(token => $token{$_}), qw(first busy);
$_->send(POST => $users, json => Scim::user("busy$_")) for @clients;
ok $t->wait_for(sub { $t->bodies == 2 }), 'two writes wait for the write lock';
$t->release($lock);
is join(' ', map $_->receive->{status}, @clients), '201 201', 'both writes are answered with 201';
ok used()->{busy}, 'the use by a write of the second batch is stored';

$before = commit();
ok $t->reload(gone => 1), 'a reload starts a new worker';
is status($token{first}), 200, 'GET with a token whose use is stored is answered with 200 by the new worker';
is status($token{idle}), 200, 'GET with an unused token is answered with 200 by the new worker';
ok recorded('idle'), 'the new worker stores the use of the unused token';
is commit(), $before + 1, 'the new worker does not store again the use that the old worker has stored';

is +($t->scimctl('verify'))[0], 0, 'verify finds no problem';
is +($t->scimctl(qw(tenant remove acme --yes)))[0], 0, 'tenant remove exits with 0';
is +($t->scimctl('verify'))[0], 0, 'verify finds no problem after the removal';
is +($t->poke(qw(count local)))[1], "0\n", 'no use of a token of the removed tenant is left';

$t->finish;
