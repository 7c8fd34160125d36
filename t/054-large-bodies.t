#!/usr/bin/perl
# Large bodies do not delay other requests: small writes overtake them, tenants take turns, a body beyond the work limits is
# refused, and the memory is returned to the system.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use Scim;
use Scim::Check;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store size=1g;', server => <<'EOS');
    client_max_body_size 32m;
    location /scim/v2/ { scim main; }
EOS
my %token = map { $_ => $t->seed($_) } qw(acme beta gamma);
my $users = '/scim/v2/Users';
$t->start->served($users, token => $token{acme});
my %client = map { $_ => $t->client(token => $token{$_}) } keys %token;

# 120,000 values of an undeclared attribute: about 100 ms of work.
my $values = join ',', (1) x 120_000;
sub large { my ($name) = @_; return $Scim::json->encode(Scim::user($name)) =~ s/\}\z/,"unknown":[$values]}/r }

sub answered { return scalar grep { !$_->{error} && ($_->{buffer} || _ready($_)) } @_ }
sub _ready { my ($client) = @_; return IO::Select->new($client->{socket})->can_read(0) }

# --- order

my $beta = $client{beta}->request(POST => $users, json => Scim::user('leaver'))->{json};
my @flood = map { my $c = $t->client(token => $token{acme}); $c->send(POST => $users, body => large("large$_")); $c } 1 .. 12;
my $gamma = $t->client(token => $token{gamma});
$gamma->send(POST => $users, body => large('turn'));
my $off = $client{beta}->request(PATCH => "$users/$beta->{id}", json => {
    schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'replace', path => 'active', value => JSON::PP::false }] });
my $before_small = answered(@flood);
is $off->{status}, 200, 'a PATCH is answered with 200 while another tenant sends large bodies';
cmp_ok $before_small, '<=', 6,
    "a PATCH overtakes most of twelve large bodies of another tenant ($before_small were answered before it)";
is $gamma->receive->{status}, 201, 'a large body of a third tenant is answered with 201';
my $before_turn = answered(@flood);
cmp_ok $before_turn, '<=', 8,
    "a large body of a third tenant overtakes some of twelve of another tenant ($before_turn were answered before it)";
is join(' ', map $_->receive->{status}, @flood), join(' ', (201) x 12), 'all large bodies are answered with 201';

# --- limits of work

my $names = sub { my ($n) = @_; return $Scim::json->encode(Scim::user("names$n")) =~ s/\}\z/join ',', '', map("\"k$_\":1", 1 .. $n), ()/er . '}' };
is $client{acme}->request(POST => $users, body => $names->(140_000))->{status}, 201,
    'POST with 140,000 undeclared names is answered with 201';
is_error $client{acme}->request(POST => $users, body => $names->(190_000)), 413, '', qr/body work of a request is at most 8000000/,
    'POST with 190,000 undeclared names is refused with 413';
my $greek = $client{acme}->request(POST => $users, json => Scim::user('greek', emails => [map +{ value => "$_" . "\x{3b1}" x 700 }, 1 .. 1000]));
is $greek->{json}{errorId}, 'indexed-text-too-costly', 'the refusal of long indexed values is indexed-text-too-costly';
is_error $greek, 413, '', qr/index work/, 'POST with 1000 long values that must be normalized is refused with 413';

# --- memory

my ($worker) = $t->workers;
sub dirty { return Scim::_slurp("/proc/$worker/smaps_rollup") =~ /^Private_Dirty:\s+(\d+) kB/m ? $1 / 1024 : 'unknown' }
# 8,000 e-mail addresses and a photo of 900 kB; without JSON::PP, which takes a second for it.
sub many_values {
    my ($name) = @_;
    my $emails = join ',', map qq({"value":"$name-$_\@example.com","type":"t$_"}), 1 .. 8000;
    return $Scim::json->encode(Scim::user($name)) =~ s/\}\z/,"emails":[$emails],"photos":[{"value":"${\('p' x 900_000)}"}]}/r;
}
my @together = map { my $c = $t->client(token => $token{acme}, raw => 1); $c->send(POST => $users, body => many_values("memory$_")); $c } 1 .. 24;
is join(' ', map $_->receive->{status}, @together), join(' ', (201) x 24),
    '24 concurrent POSTs of large users are answered with 201';
SKIP: {
    skip 'the address sanitizer keeps memory that was freed', 1 if $ENV{TEST_NGINX_PRELOAD};
    ok $t->wait_for(sub { dirty() <= 64 }),
        'a worker keeps at most 64 MiB of memory after large bodies' or diag dirty(), ' MiB';
}
diag sprintf 'Private_Dirty %.0f MiB', dirty();

$_->close for @flood, @together, $gamma;
$t->finish;
