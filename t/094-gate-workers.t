#!/usr/bin/perl
# A change that one worker has acknowledged counts for the next request to every other worker. SCIM_ROUNDS=10000 for a long
# run.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $rounds = $ENV{SCIM_ROUNDS} // 100;
my $t = Scim->new(workers => 4, http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store size=256m;
    scim_subject $http_x_remote_user tenant=acme trusted;
    keepalive_requests 1000000;
EOC
    location /scim/v2/ { scim main; add_header X-Pid $pid; }
    location /pid { scim_require off; return 200 $pid; }
    location /active { scim_require active; try_files /none =204; add_header X-Pid $pid; }
    location /group { scim_require group=Admins; try_files /none =204; add_header X-Pid $pid; }
EOS
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
my %worker;    # a connection to each worker, by pid
$t->wait_for(sub {
    my $c = $t->client(token => $token);
    my $pid = $c->request(GET => '/pid')->{body};
    $worker{$pid} //= $c;
    return keys %worker == 4;
}) or BAIL_OUT 'no connection to each of 4 workers';
my @clients = map $worker{$_}, sort keys %worker;
$clients[$_]->request(GET => '/scim/v2/Users?count=0')->{status} == 200 or BAIL_OUT 'a worker serves no SCIM' for 0 .. 3;

my $patch_urn = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
my $admins = $clients[0]->request(POST => '/scim/v2/Groups', json =>
        { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => 'Admins' })->{json}{id};
sub patch { my ($client, $path, @operations) = @_; return $client->request(PATCH => "/scim/v2/$path", json => { schemas => [$patch_urn], Operations => \@operations })->{status} }

# Each takes the client of a worker, and the id of a user who may pass; returns true if the change is acknowledged.
my %take_away = (
    'active:false' => sub { patch($_[0], "Users/$_[1]", { op => 'replace', path => 'active', value => JSON::PP::false }) == 200 },
    'removal from a group' => sub { patch($_[0], "Groups/$admins", { op => 'remove', path => qq(members[value eq "$_[1]"]) }) =~ /^20[04]/ },
    'DELETE' => sub { $_[0]->request(DELETE => "/scim/v2/Users/$_[1]")->{status} == 204 },
    'a block' => sub { $t->scimctl('user', 'block', '--tenant', 'acme', $_[1]); return 1 },
);
for my $kind (sort keys %take_away) {
    # scimctl is a process for each round
    my ($count, $late, $wrong) = ($kind eq 'a block' ? 1 + int $rounds / 5 : $rounds, 0, 0);
    for my $i (1 .. $count) {
        my ($here, $there) = @clients[$i % 4, ($i + 1 + $i % 3) % 4];
        my $name = "u$i-" . ($kind =~ tr/a-z//cdr);
        my $id = $here->request(POST => '/scim/v2/Users', json => Scim::user($name))->{json}{id};
        patch($here, "Groups/$admins", { op => 'add', path => 'members', value => [{ value => $id }] });
        my $path = $kind =~ /group/ ? '/group' : '/active';
        my $ask = sub { $there->request(GET => $path, headers => { 'X-Remote-User' => $name })->{status} };
        $wrong += $ask->() != 204;
        $take_away{$kind}->($here, $id) or $wrong++;
        $late += $ask->() != 403;
    }
    is $wrong, 0, "$kind: the user passes before, on another worker";
    is $late, 0, "$kind: the next request to another worker is refused, $count times";
}
$t->quit;
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';
done_testing;
