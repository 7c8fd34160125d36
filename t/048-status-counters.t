#!/usr/bin/perl
# After 10,000 random requests by clients of two tenants, every counter of requests and errors is what the access log and the
# answers say.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $seed = $ENV{SCIM_SEED} // time;
note "SCIM_SEED=$seed";
my $count = 10_000;

my $t = Scim->new(workers => 2, http => <<'EOH', server => <<'EOS');
    scim_store main %%DIR%%/store size=64m;
    scim_status_zone scim 256k;
    log_format scim '$scim_tenant $scim_operation $status';
EOH
    location /scim/v2 { scim main; access_log %%DIR%%/access.log scim; }
    location /status { access_log off; scim_status; }
EOS
my $token = $t->seed('acme');
my $foreign = $t->token($t->tenant('globex'));
my $revoked = $t->token('globex', label => 'old');
is +($t->scimctl(qw(token revoke --tenant globex old)))[0], 0, 'a token is revoked';
$t->start;

sub slurp { open my $f, '<', $_[0] or return ''; local $/; return <$f> // '' }

my $users = '/scim/v2/Users';
my $c = $t->client(token => $token);
my @ids = map $c->request(POST => $users, json => Scim::user("user$_"))->{json}{id}, 1 .. 12;
my $patch = { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'Replace', path => 'title', value => 'x' }] };
my @requests = (
    (map { my $id = $_; (sub { [GET => "$users/$id"] }) x 4, sub { [PATCH => "$users/$id", json => $patch] } } @ids[2 .. 9]),
    sub { [GET => "$users?filter=userName%20eq%20%22user$_[0]%22"] },
    sub { [GET => "$users?filter=userName%20eq"] },
    sub { [POST => $users, json => Scim::user("random$_[0]")] },
    sub { [POST => $users, json => Scim::user('user1')] },
    sub { [POST => $users, json => { schemas => [] }] },
    sub { [PUT => "$users/$ids[10]", json => Scim::user('user11')] },
    sub { [DELETE => "$users/$ids[1]"] },
    sub { [GET => '/scim/v2/Schemas'] },
    sub { [GET => '/scim/v2/Nothing'] },
    sub { [OPTIONS => $users] },
);
my @tokens = (($token) x 8, $foreign, 'unknown', $revoked);
my @answers = $t->concurrently(4, $count, sub {
    my ($i, $client) = @_;
    srand $seed + $i;    # the processes would draw the same numbers
    my $r = $client->request(@{ $requests[rand @requests]->($i) }, token => $tokens[rand @tokens]);
    return { status => $r->{status}, type => ($r->{json} // {})->{scimType} // '' };
});
is scalar(grep $_->{status} >= 500 || $_->{status} == 0, @answers), 0, 'no request is answered with 5xx';

my (%logged, %counted, %errors, %expected);
$t->wait_for(sub {
    my @log = split /\n/, slurp("$t->{dir}/access.log");
    %logged = ();
    $logged{$_}++ for @log;
    return @log >= $count + @ids;
});
for (split /\n/, $t->request(GET => '/status')->{body}) {
    my ($name, $labels, $value) = /^(\w+)\{(.*)\} (\d+)$/ or next;
    my %label = $labels =~ /(\w+)="(.*?)"/g;
    if ($name eq 'nginx_scim_requests_total') {
        my $operation = $label{operation} eq 'none' ? '' : $label{operation};
        $counted{ join ' ', map { length $_ ? $_ : '-' } $label{tenant}, $operation, $label{code} } = $value;
    }
    $errors{ $label{type} } = $value if $name eq 'nginx_scim_errors_total' && $value;
}
$expected{ $_->{type} }++ for grep length $_->{type}, @answers;
cmp_ok scalar keys %logged, '>', 20, 'the requests have more than 20 combinations of tenant, operation and status';
is_deeply \%counted, \%logged, 'the counters of requests are those of the access log';
cmp_ok scalar keys %expected, '>', 2, 'the requests have more than two types of errors';
is_deeply \%errors, \%expected, 'the counters of errors are those of the answers';

$t->finish;
