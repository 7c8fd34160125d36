#!/usr/bin/perl
# Large bodies hold up nobody else: small writes overtake them, tenants take turns, a body of too much work is refused, and
# their memory goes back to the system.

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

# 120,000 values that nobody has declared: some 100 ms of work.
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
is $off->{status}, 200, 'a deactivation is done while another tenant sends large bodies';
cmp_ok $before_small, '<=', 6, "it overtakes most of twelve large bodies ($before_small were answered)";
is $gamma->receive->{status}, 201, 'a large body of a third tenant is taken';
my $before_turn = answered(@flood);
cmp_ok $before_turn, '<=', 8, "it has its turn before most of the twelve ($before_turn were answered)";
is join(' ', map $_->receive->{status}, @flood), join(' ', (201) x 12), 'all are answered';

# --- bounds

my $names = sub { my ($n) = @_; return $Scim::json->encode(Scim::user("names$n")) =~ s/\}\z/join ',', '', map("\"k$_\":1", 1 .. $n), ()/er . '}' };
is $client{acme}->request(POST => $users, body => $names->(140_000))->{status}, 201, 'a body of 140,000 unknown names is taken';
is_error $client{acme}->request(POST => $users, body => $names->(190_000)), 413, '', qr/body work of a request is at most 8000000/,
    'one of 190,000 is refused with 413';
is_error $client{acme}->request(POST => $users, json => Scim::user('greek', emails => [map +{ value => "$_" . "\x{3b1}" x 700 }, 1 .. 1000])),
    413, '', qr/index work/, 'so is too much text that must be normalised';

# --- memory

my ($worker) = $t->workers;
sub dirty { return Scim::_slurp("/proc/$worker/smaps_rollup") =~ /^Private_Dirty:\s+(\d+) kB/m ? $1 / 1024 : 'unknown' }
# 8,000 e-mail addresses and a photo of 900 kB; not by JSON::PP, which takes a second for it.
sub many_values {
    my ($name) = @_;
    my $emails = join ',', map qq({"value":"$name-$_\@example.com","type":"t$_"}), 1 .. 8000;
    return $Scim::json->encode(Scim::user($name)) =~ s/\}\z/,"emails":[$emails],"photos":[{"value":"${\('p' x 900_000)}"}]}/r;
}
my @together = map { my $c = $t->client(token => $token{acme}, raw => 1); $c->send(POST => $users, body => many_values("memory$_")); $c } 1 .. 24;
is join(' ', map $_->receive->{status}, @together), join(' ', (201) x 24), '24 large users are created together';
ok $t->wait_for(sub { dirty() <= 64 }), 'a worker keeps at most 64 MiB of memory afterwards' or diag dirty(), ' MiB';
diag sprintf 'Private_Dirty %.0f MiB', dirty();

$_->close for @flood, @together, $gamma;
$t->finish;
