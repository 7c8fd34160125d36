#!/usr/bin/perl
# The directory becomes unavailable under load: the gate answers as it is configured, lets nobody pass who may not, and
# answers again without a restart.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

BEGIN {
    plan skip_all => 'TEST_FAULTS is not set' if !$ENV{TEST_FAULTS};
    $ENV{TEST_NGINX_PRELOAD} = join ' ', grep length, $ENV{TEST_NGINX_PRELOAD} // '', $ENV{TEST_FAULTS};
}
use Scim;

my $t = Scim->new(workers => 2, main => 'env TEST_FAULT;', http => <<'EOC', server => <<'EOS', expect_log => [qr/scim/]);
    scim_store main %%DIR%%/store size=8m;
    scim_subject $http_x_remote_user tenant=acme trusted;
    scim_header X-User $scim_user_name;
EOC
    location /scim/v2/ { scim main; }
    location = /pid { return 200 $pid; }
    location = /application { return 200 "user=$http_x_user"; }
    location /deny { scim_require active; proxy_pass http://127.0.0.1:%%PORT%%/application; }
    location /allow { scim_require active; scim_on_error allow; proxy_pass http://127.0.0.1:%%PORT%%/application; }
EOS
$ENV{TEST_FAULT} = "$t->{dir}/store/fail";
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
sub create { return $t->request(POST => '/scim/v2/Users', token => $token, json => Scim::user(@_))->{status} }
is create('ada'), 201, 'a user is created';
is create('eve', active => JSON::PP::false), 201, 'an inactive user is created';

sub answer {
    my ($client, $path, $user) = @_;
    my $r = $client->request(GET => $path, headers => { 'X-Remote-User' => $user, 'X-User' => 'root' });
    return $r->{status} ? "$r->{status}" . ($r->{status} == 200 ? " $r->{body}" : '') : "broken: $r->{error}";
}

# Clients ask until the file `stop` is there. Returns how often each answer came, by path and user.
my $stop = "$t->{dir}/stop";
sub under_load {
    my ($name, $do) = @_;
    unlink $stop;
    my $load = $t->launch(2, 2, sub {
        my ($i, $client) = @_;
        my %count;
        until (-e $stop) {
            for my $case (['/deny', 'ada'], ['/allow', 'ada'], ['/deny', 'eve'], ['/allow', 'eve']) {
                $client->connect;    # a reload closes connections
                $count{"@$case: " . answer($client, @$case)}++;
                $client->close;
            }
        }
        return \%count;
    });
    $do->();
    $t->write_file('stop', '');
    my %count;
    for my $part ($t->collect($load)) { $count{$_} += $part->{$_} for keys %$part }
    my @unexpected = grep !/^(?:\/deny ada: (?:200 user=ada|503)|\/allow ada: 200 user=(?:ada)?|\/deny eve: (?:403|503)|\/allow eve: (?:403|200 user=))\z/, keys %count;
    is "@unexpected", '', "$name: every answer under load is one that the configuration allows";
    return \%count;
}
sub answers { my ($path, $user) = @_; return answer($t->client, $path, $user) }
# Each worker opens the store again for itself.
sub heals {
    my ($name) = @_;
    my (%worker, @clients);
    ok $t->wait_for(sub {
        my $client = $t->client;
        $worker{ $client->request(GET => '/pid')->{body} } //= $client;
        @clients = map $worker{$_} // (), $t->workers;
        return @clients == 2;
    }), "$name: both workers answer";
    ok $t->wait_for(sub { !grep answer($_, '/deny', 'ada') ne '200 user=ada', @clients }),
        "$name: the gate answers again without a restart";
    is join(' ', map answer($_, '/deny', 'eve'), @clients), '403 403', "$name: who is inactive is refused";
}

my $count = under_load('the store is moved away', sub {
    rename "$t->{dir}/store/data.mdb", "$t->{dir}/store/away" or die "rename: $!";
    ok $t->wait_for(sub { answers('/deny', 'ada') eq '503' }), 'the store is moved away: 503 by default';
    ok $t->wait_for(sub { answers('/allow', 'ada') eq '200 user=' }), 'scim_on_error allow: the request passes without identity';
    rename "$t->{dir}/store/away", "$t->{dir}/store/data.mdb" or die "rename: $!";
});
heals('the store is moved back');
ok $count->{'/deny ada: 503'}, 'requests of the load have met the unavailable store';

under_load('a meta page cannot be written', sub {
    $t->write_file('store/fail', '');
    create('lost');
    ok !-e "$t->{dir}/store/fail", 'the write of the meta page has failed';
});
heals('after the failed meta page');

under_load('the map is full', sub {
    my $status = 201;
    for (my $i = 0; $status == 201 && $i < 2000; $i++) { $status = create("big$i", displayName => 'x' x 60_000) }
    is $status, 503, 'the map is full: creates are refused';
});
heals('the map is full');

under_load('nginx reloads', sub { $t->reload for 1 .. 5 });
heals('after 5 reloads');

my ($status, $out) = $t->scimctl('verify');
is $status, 0, 'scimctl verify finds no problem' or diag $out;
$t->finish;
